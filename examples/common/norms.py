"""The normalizations that the examples compare."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras

import keras_bin

# Keras's 0.99 averages over some 100 steps: more than two epochs of digits, in which the
# weights move on.
MOMENTUM = 0.9


@keras.saving.register_keras_serializable(package="keras_bin_examples")
class HalfMix(keras_bin.BatchInstanceNormalization):
    """A BIN layer whose rho stays at 1/2: the mean of batch and instance normalization."""

    def __init__(self, **kwargs):
        super().__init__(**{"rho_initializer": keras.initializers.Constant(0.5), **kwargs})

    def build(self, input_shape):
        """Creates the weights of a BIN layer, and takes rho out of the trainable ones."""
        super().build(input_shape)
        self.rho.trainable = False


class Norm(NamedTuple):
    """A normalization and the model that trains it.

    Attributes:
        layer: makes a layer, from the keyword arguments that the four have in common: `name`,
            `epsilon`, the initializers and regularizers of `gamma` and `beta`.
        model_class: `keras.Model`, or `keras_bin.BINModel` where rho learns.
    """

    layer: Callable[..., keras.layers.Layer]
    model_class: type[keras.Model]


NORMS = {
    "BN": Norm(functools.partial(keras.layers.BatchNormalization, momentum=MOMENTUM), keras.Model),
    "IN": Norm(functools.partial(keras.layers.GroupNormalization, groups=-1), keras.Model),
    "BN+IN": Norm(functools.partial(HalfMix, momentum=MOMENTUM), keras.Model),
    "BIN": Norm(
        functools.partial(keras_bin.BatchInstanceNormalization, momentum=MOMENTUM),
        keras_bin.BINModel,
    ),
}
