"""Variables as NumPy arrays."""

from typing import Any

import keras
import numpy as np

from keras_bin.traces import outside_of_trace


def array(value: Any) -> np.ndarray:
    """Returns the value of a variable or tensor, also while a function is traced."""
    with outside_of_trace():
        # Of a copy, as the `__array__` of a variable knows no `copy`, and NumPy 2 warns.
        value = keras.ops.copy(value) if isinstance(value, keras.Variable) else value
        return keras.ops.convert_to_numpy(value)


def is_text(values: np.ndarray) -> bool:
    """Tells whether an array holds text."""
    return values.dtype.kind in "OSU"


def float64(variable) -> np.ndarray:
    """Returns what `array` returns, in float64."""
    return array(variable).astype("float64")
