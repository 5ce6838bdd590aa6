"""The nets that the examples train, each with any of the normalizations."""

import keras

from common.norms import Norm
from common.scans import CLASSES


def build_cnn(norm: Norm, classes: int = CLASSES) -> keras.Model:
    """Builds a net of four convolutions, each normalized, without residual connections.

    Args:
        norm: makes the layers, which are called `norm1` to `norm4`.
        classes: number of logits.

    Returns:
        A model from `(batch, 8, 8, 3)` to `(batch, classes)`, not compiled.
    """
    x = pictures = keras.Input((8, 8, 3), name="pictures")
    for number, filters in enumerate((32, 32, 64, 64), start=1):
        if number == 3:
            x = keras.layers.MaxPooling2D()(x)
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = norm.at("first" if number == 1 else "other")(name=f"norm{number}")(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return norm.model_class(pictures, keras.layers.Dense(classes, name="logits")(x))
