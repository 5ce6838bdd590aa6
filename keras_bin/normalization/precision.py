"""The precision that the layers compute in."""

from typing import Any

import keras
from keras import ops


def at_least_float32(inputs: Any) -> Any:
    """Casts a tensor to float32, unless it is in float64.

    Half precision overflows in squares (float16 ends at 65504), and integers have no means.
    """
    # Not `keras.backend.result_type`, which knows no float64 outside of TensorFlow (Keras 3.15).
    double = keras.backend.standardize_dtype(inputs.dtype) == "float64"
    return inputs if double else ops.cast(inputs, "float32")
