"""Leaving a model as it was."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np


@contextlib.contextmanager
def unchanged(model: keras.Model) -> Iterator[None]:
    """Gives weights and states, such as those of seed generators, the values they had before."""
    # TensorFlow writes what is assigned to a new place while an old value is held.
    before = [(variable, keras.ops.copy(variable)) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in before:
            now, then = map(keras.ops.convert_to_numpy, (variable, value))
            if not np.array_equal(now, then):
                variable.assign(value)
