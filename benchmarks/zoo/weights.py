"""Inputs and weights as a training might leave them."""

import keras
import numpy as np

from benchmarks.oracle import call
from benchmarks.zoo.net import Net
from keras_bin.keras_internals import all_layers

LARGE = 64 * 64 * 3
MEAN, DEVIATION = 1.5, 2.0
OFF = 0.03  # with 0.15, the activations of EfficientNets grow to 1e4, and their rounding to 2 %


def batch(model: keras.Model, net: Net, count: int, seed: int) -> list[np.ndarray]:
    """Draws inputs, normal, pixels or 0 and 1, flattened in the order of `model.inputs`."""
    return [_fed(array, net) for array in _drawn(model, net, count, seed)]


def randomize(model: keras.Model, net: Net, seed: int = 1) -> None:
    """Draws gamma and beta; moving statistics become those of a batch, slightly off.

    If statistics were drawn, too, the activations of a deep net would explode.

    Args:
        model: a built model; its BatchNormalization layers change.
        net: what it was built from.
        seed: decides what is drawn.
    """
    rng = np.random.default_rng(seed)
    norms = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.built
    ]
    for layer in norms:
        channels = layer.moving_mean.shape
        if layer.gamma is not None:
            signs = np.where(rng.random(channels) < 0.05, -1, 1)
            layer.gamma.assign(rng.uniform(0.6, 1.4, channels) * signs)
        if layer.beta is not None:
            layer.beta.assign(rng.normal(0, 0.3, channels))
    _learn_statistics(model, net, norms, rng, seed)
    for layer in norms:
        _perturb(layer, rng)


def _fed(array, net):
    if not net.pixels:
        return array
    return np.clip(128 + 64 * (array - MEAN) / DEVIATION, 0, 255)


def _drawn(model, net, count, seed):
    if net.samples is not None:
        return [net.samples(count)]
    rng = np.random.default_rng(seed)
    if net.shape is not None:
        return [_draw(rng, (count, *net.shape), "float32")]
    return [
        _draw(rng, (count, *(size or net.free for size in tensor.shape[1:])), tensor.dtype)
        for tensor in model.inputs
    ]


def _draw(rng, shape, dtype):
    if dtype.startswith("float"):
        return rng.normal(MEAN, DEVIATION, shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)


def _learn_statistics(model, net, norms, rng, seed):
    (first, *_) = _drawn(model, net, 1, seed)
    count = 24 if first.size <= LARGE else 6  # a net that ends at 1x1 needs many
    varied = [_fed(_vary(array, rng), net) for array in _drawn(model, net, count, seed)]
    kept = [(layer.momentum, layer.trainable) for layer in norms]
    try:
        for layer in norms:
            layer.momentum, layer.trainable = 0.0, True
        call(model, varied, training=True)
    finally:
        for layer, (momentum, trainable) in zip(norms, kept, strict=True):
            layer.momentum, layer.trainable = momentum, trainable


def _vary(array, rng):
    """Gives each sample a level, a contrast and a slope; averages of white noise are all equal."""
    if array.dtype.kind != "f" or array.ndim < 3:
        return array
    ones = [1] * (array.ndim - 2)
    each = (len(array), *ones, array.shape[-1])
    slope = np.linspace(-1, 1, array.shape[1]).reshape(1, -1, *ones)
    noise = (array - MEAN) / DEVIATION * rng.uniform(0.5, 3, each)
    levels = rng.normal(MEAN, DEVIATION, each) + slope * rng.normal(0, 1.5, each)
    return (noise + levels).astype(array.dtype)


def _perturb(layer, rng):
    channels = layer.moving_mean.shape
    mean, variance = (
        keras.ops.convert_to_numpy(weight) for weight in (layer.moving_mean, layer.moving_variance)
    )
    finite = np.isfinite(mean) & np.isfinite(variance)
    middle = float(np.median(variance[finite])) if finite.any() else 0.0
    variance = np.maximum(np.where(finite, variance, 1.0), max(1e-3, 0.05 * middle))
    mean = np.where(finite, mean, 0.0)
    layer.moving_mean.assign(mean + OFF * np.sqrt(variance) * rng.normal(size=channels))
    layer.moving_variance.assign(variance * np.exp(rng.normal(0, OFF, channels)))
