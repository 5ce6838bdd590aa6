"""Variables as NumPy arrays."""

from typing import Any

import keras
import numpy as np

from keras_bin.traces import outside_of_trace


def array(value: Any) -> np.ndarray:
    """Returns the value of a variable or tensor, even while a function is traced.

    On JAX, a value that is divided among processes is gathered, so all of them must call this.
    """
    with outside_of_trace():
        # Copied first: `__array__` of a variable has no `copy` argument, so NumPy 2 would warn.
        value = keras.ops.copy(value) if isinstance(value, keras.Variable) else value
        return keras.ops.convert_to_numpy(_gathered(value))


def _gathered(value: Any) -> Any:
    """Returns a value that JAX divides among processes as an array of this one."""
    if keras.backend.backend() != "jax":
        return value
    import jax

    local = not isinstance(value, jax.Array) or isinstance(value, jax.core.Tracer)
    if local or value.is_fully_addressable or value.is_fully_replicated:
        return value
    from jax.experimental import multihost_utils

    gathered: np.ndarray = multihost_utils.process_allgather(value, tiled=True)
    return gathered


def is_text(values: np.ndarray) -> bool:
    """Tells whether an array holds text."""
    return values.dtype.kind in "OSU"


def float64(variable) -> np.ndarray:
    """Returns the result of `array`, in float64."""
    return array(variable).astype("float64")
