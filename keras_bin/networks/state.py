"""Restoring the state of a model."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def restored(model: keras.Model) -> Iterator[None]:
    """Restores weights and states, such as seeds and metrics of layers, after a `with` block."""
    # TensorFlow assigns to other memory while an old value is held, so these are not overwritten.
    variables = (*model.variables, *model.metrics_variables)
    before = [(variable, keras.ops.copy(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
