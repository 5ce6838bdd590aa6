"""Variables as NumPy arrays."""

import keras
import numpy as np


def array(variable) -> np.ndarray:
    """Returns the value of a variable or tensor, also while a function is traced."""
    if keras.backend.backend() != "tensorflow":
        return keras.ops.convert_to_numpy(variable)
    import tensorflow as tf

    with tf.init_scope():
        return keras.ops.convert_to_numpy(variable)


def is_text(values: np.ndarray) -> bool:
    """Tells whether an array holds text."""
    return values.dtype.kind in "OSU"


def float64(variable) -> np.ndarray:
    """Returns what `array` returns, in float64."""
    return array(variable).astype("float64")
