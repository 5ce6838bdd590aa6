"""Weights as a training might leave them, and gates in every pattern."""

from collections.abc import Callable

import keras
import numpy as np

from benchmarks.campaign.draw import Draw
from benchmarks.campaign.inputs import Range, typical
from benchmarks.oracle import call
from keras_bin import BatchInstanceNormalization
from keras_bin.keras_internals import all_layers
from testing.weights import NORMALIZATIONS

OUTSIDE = "outside [0, 1]"


def _mixed(rng, channels):
    kinds = rng.integers(3, size=channels)
    return np.where(kinds == 2, rng.uniform(size=channels), kinds)


def _near_ends(rng, channels):
    gap = 10.0 ** rng.uniform(-8, -2, channels)
    return np.where(rng.random(channels) < 0.5, gap, 1 - gap)


GATES: dict[str, Callable] = {
    "all 1": lambda rng, channels: np.ones(channels),
    "all 0": lambda rng, channels: np.zeros(channels),
    "between": lambda rng, channels: rng.uniform(0.05, 0.95, channels),
    "mixed with both ends": _mixed,
    "0 and 1": lambda rng, channels: rng.integers(2, size=channels).astype(float),
    "near the ends": _near_ends,
    OUTSIDE: lambda rng, channels: rng.uniform(-0.3, 1.3, channels),
}
INSIDE = [name for name in GATES if name != OUTSIDE]
EACH = "one pattern for each layer"


def randomize(model: keras.Model, draw: Draw, within: Range) -> str:
    """Draws gammas, betas, biases and gates; moving statistics are those of a batch.

    Args:
        model: a built model; its weights change.
        draw: makes the decisions.
        within: range of its inputs.

    Returns:
        The name of the pattern of gates.
    """
    pattern = draw.of(*GATES, EACH)
    draw.note(f"gates {pattern}")
    rng = draw.rng
    norms = [layer for layer in all_layers(model) if isinstance(layer, NORMALIZATIONS)]
    for layer in all_layers(model):
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.3, layer.bias.shape))
    norms = [layer for layer in norms if layer.built]
    for layer in norms:
        channels = layer.moving_mean.shape[0]
        if layer.gamma is not None:
            layer.gamma.assign(rng.normal(1, 0.3, channels))
        if layer.beta is not None:
            layer.beta.assign(rng.normal(0, 0.5, channels))
        if isinstance(layer, BatchInstanceNormalization):
            gates = GATES[draw.of(*INSIDE) if pattern == EACH else pattern]
            layer.rho.assign(gates(rng, channels))
    kept = [layer.momentum for layer in norms]
    try:
        for layer in norms:
            layer.momentum = 0.0
        call(model, typical(model, rng, within, batch=6), training=True)
    finally:
        for layer, momentum in zip(norms, kept, strict=True):
            layer.momentum = momentum
    for layer in norms:
        value = keras.ops.convert_to_numpy(layer.moving_variance)
        layer.moving_variance.assign(np.maximum(value, 1e-3) * rng.uniform(0.7, 1.4, value.shape))
        spread = np.sqrt(np.maximum(value, 1e-3))
        layer.moving_mean.assign_add(0.2 * spread * rng.normal(size=value.shape))
    return pattern
