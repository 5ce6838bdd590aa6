"""Restoring the state of a model."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np


@contextlib.contextmanager
def restored(model: keras.Model) -> Iterator[None]:
    """Restores weights and states, such as those of seed generators, after a `with` block."""
    # TensorFlow assigns to other memory while an old value is held, so these are not overwritten.
    before = [(variable, keras.ops.copy(variable)) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in before:
            now, then = map(keras.ops.convert_to_numpy, (variable, value))
            if not np.array_equal(now, then):
                variable.assign(value)
