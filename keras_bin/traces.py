"""Functions that TensorFlow traces: leaving them, and running them without a trace."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager

import keras


def outside_of_trace() -> AbstractContextManager[None]:
    """Runs a `with` block outside the function that TensorFlow is tracing, if any."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    scope: AbstractContextManager[None] = tf.init_scope()
    return scope


@contextlib.contextmanager
def functions_run_eagerly() -> Iterator[None]:
    """Runs each `tf.function` as Python inside a `with` block, if TensorFlow is the backend.

    A trace reads and assigns the variables themselves, whatever a `keras.StatelessScope` holds.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
