"""The layers of Keras beside which BIN is timed, on any backend, and inputs for them."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

import keras_bin

OURS = "keras_bin"
BN = "BatchNormalization"
MOMENTUM = 0.99
EPSILON = 1e-3


class Peer(keras.layers.Layer):
    """The weights of a peer that Keras lacks, and the update of its moving statistics.

    Peers are for training only, and for inputs of rank 4, channels last.
    """

    gated = True  # whether there is a rho

    def build(self, input_shape):
        """Creates the weights that `BatchInstanceNormalization` has, in its order."""

        def weight(name, initializer, trainable=True):
            return self.add_weight(
                shape=(input_shape[-1],), name=name, initializer=initializer, trainable=trainable
            )

        self.gamma = weight("gamma", "ones")
        self.beta = weight("beta", "zeros")
        if self.gated:
            self.rho = weight("rho", "ones")
        self.moving_mean = weight("moving_mean", "zeros", trainable=False)
        self.moving_variance = weight("moving_variance", "ones", trainable=False)

    def update(self, mean, variance):
        """Moves the moving statistics towards those of the batch."""
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(MOMENTUM * moving + (1 - MOMENTUM) * ops.reshape(new, (-1,)))


class TextbookBIN(Peer):
    """BIN in training as written directly from the paper: two normalizations, then their mix.

    Source: Nam & Kim 2018, section 3.
    """

    def call(self, x, training=True):
        """Normalizes `x` with the statistics of the batch, and updates the moving ones."""
        mean, variance = ops.moments(x, (0, 1, 2), keepdims=True)
        batch = (x - mean) / ops.sqrt(variance + EPSILON)
        self.update(mean, variance)
        mean, variance = ops.moments(x, (1, 2), keepdims=True)
        instance = (x - mean) / ops.sqrt(variance + EPSILON)
        return (self.rho * batch + (1 - self.rho) * instance) * self.gamma + self.beta


KERAS = {
    OURS: keras_bin.BatchInstanceNormalization,
    BN: keras.layers.BatchNormalization,
    "GroupNormalization(groups=-1)": lambda: keras.layers.GroupNormalization(groups=-1),
}


def build(make: Callable, shape: tuple[int, ...]) -> keras.layers.Layer:
    """Makes a layer for inputs of `shape`; if it has rho, that goes evenly from 0 to 1."""
    layer = make()
    layer.build(shape)
    if hasattr(layer, "rho"):
        layer.rho.assign(np.linspace(0, 1, shape[-1]))
    return layer


def draw(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Draws an input and an output gradient, standard normal, float32."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape, np.float32), rng.standard_normal(shape, np.float32)
