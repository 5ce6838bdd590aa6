"""Leaving a model as it was."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def unchanged(model: keras.Model) -> Iterator[None]:
    """Gives variables that calls assign, such as counters, the values that they had before."""
    before = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
