"""Variables as NumPy arrays."""

import keras
import numpy as np


def float64(variable) -> np.ndarray:
    """Returns the value of a variable or tensor in float64, also while a function is traced."""
    import tensorflow as tf

    with tf.init_scope():
        return keras.ops.convert_to_numpy(variable).astype("float64")
