"""The layers that replace normalization layers in a converted model."""

from typing import Any

import keras

from keras_bin.keras_internals import set_own_trainable
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.networks.copying import Copier
from keras_bin.networks.layer_state import copy_variable_training

# Arguments of both constructors that layers keep as attributes; `dtype` comes from the policy.
_SHARED_ARGUMENTS = (
    *("axis", "momentum", "epsilon", "center", "scale", "synchronized"),
    *("beta_initializer", "gamma_initializer"),
    *("moving_mean_initializer", "moving_variance_initializer"),
    *("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"),
    *("name", "trainable", "activity_regularizer", "autocast"),
)
_SHARED_WEIGHTS = ("gamma", "beta", "moving_mean", "moving_variance")


class Converted:
    """A layer of another class with the arguments and weights of the original.

    Args:
        kind: `BatchInstanceNormalization` or `keras.layers.BatchNormalization`.
    """

    def __init__(self, kind: type[keras.layers.Layer]):
        self._kind = kind

    def new(self, layer: keras.layers.Layer, copier: Copier | None = None) -> keras.layers.Layer:
        """Makes the layer, still without weights; rho will be 1."""
        new = self._kind(
            **{name: getattr(layer, name) for name in _SHARED_ARGUMENTS}, dtype=layer.dtype_policy
        )
        new.supports_masking = layer.supports_masking
        return new

    def set_weights(self, layer: keras.layers.Layer, new: Any) -> None:
        """Sets the weights that both have, and freezes the same ones."""
        set_own_trainable(new, layer.trainable)
        for name in _SHARED_WEIGHTS:
            source, target = getattr(layer, name), getattr(new, name)
            if source is not None:
                target.assign(keras.ops.copy(source))  # JAX would share the array
                copy_variable_training(source, target)


TO_BIN = Converted(BatchInstanceNormalization)
TO_BATCH_NORMALIZATION = Converted(keras.layers.BatchNormalization)
