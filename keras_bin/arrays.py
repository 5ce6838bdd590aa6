"""Variables as NumPy arrays."""

from typing import Any

import keras
import numpy as np

from keras_bin.traces import outside_of_trace


def array(value: Any) -> np.ndarray:
    """Returns the value of a variable or tensor, even while a function is traced."""
    with outside_of_trace():
        # Copied first: `__array__` of a variable has no `copy` argument, so NumPy 2 would warn.
        value = keras.ops.copy(value) if isinstance(value, keras.Variable) else value
        return keras.ops.convert_to_numpy(value)


def is_text(values: np.ndarray) -> bool:
    """Tells whether an array holds text."""
    return values.dtype.kind in "OSU"


def float64(variable) -> np.ndarray:
    """Returns the result of `array`, in float64."""
    return array(variable).astype("float64")
