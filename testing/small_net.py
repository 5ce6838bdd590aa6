"""A small net with one BIN layer, and a batch to train it on."""

import keras
import numpy as np

import keras_bin


def build_model(scale: float) -> keras_bin.BINModel:
    """Builds a small BIN net with rho at 0.5 and fixed weights."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras_bin.BatchInstanceNormalization(
        name="bin", rho_initializer=keras.initializers.Constant(0.5)
    )(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Activation("gelu")(x))
    outputs = keras.layers.Dense(3, name="head")(x)
    return keras_bin.BINModel(inputs, outputs, rho_gradient_scale=scale)


def batch():
    """Returns images whose samples differ in offset and contrast, and labels."""
    rng = np.random.default_rng(2)
    style = rng.normal(1, 0.5, (2, 16, 1, 1, 2))
    images = style[0] * rng.normal(size=(16, 6, 6, 2)) + style[1]
    return images.astype("float32"), np.arange(16) % 3
