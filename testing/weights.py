"""Weights of models, moved away from their initial values."""

import keras
import numpy as np

import keras_bin
from keras_bin.keras_internals import all_layers
from keras_bin.networks.normalizations import NORMALIZATIONS


def randomize(model: keras.Model, rho: float | None = None, seed: int = 0) -> keras.Model:
    """Moves normalization weights and biases away from their initial values.

    Without `rho`, the gates are 0 and 1 in the first two channels and between in the others.
    """
    rng = np.random.default_rng(seed)
    for layer in all_layers(model):
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.5, layer.bias.shape))
        if not isinstance(layer, NORMALIZATIONS) or not layer.built:
            continue
        channels = layer.moving_mean.shape[0]
        if isinstance(layer, keras_bin.BatchInstanceNormalization):
            gates = rng.uniform(0.2, 0.8, channels)
            gates[:2] = (0, 1)[:channels]
            layer.rho.assign(gates if rho is None else np.full(channels, rho))
        layer.moving_mean.assign(rng.normal(2, 1, channels))
        layer.moving_variance.assign(rng.uniform(0.3, 4, channels))
        if layer.gamma is not None:
            layer.gamma.assign(rng.normal(1, 0.3, channels))
        if layer.beta is not None:
            layer.beta.assign(rng.normal(0.5, 0.5, channels))
    return model
