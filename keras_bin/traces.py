"""Functions that TensorFlow traces: which one, leaving it, and running it without a trace."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras


def current_graph() -> Any:
    """Returns the graph that TensorFlow adds operations to, None on other backends."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.compat.v1.get_default_graph()


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
