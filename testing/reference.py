"""Batch-Instance Normalization in NumPy float64, written only from the formulas.

Each branch is written as a separate normalization with a gradient derived by hand, so that nothing
here is structured like what it is compared with.
"""

from typing import NamedTuple

import numpy as np


class Weights(NamedTuple):
    """The weights of a layer, each of shape `(channels,)`, in the order Keras keeps them."""

    gamma: np.ndarray
    beta: np.ndarray
    rho: np.ndarray
    moving_mean: np.ndarray
    moving_variance: np.ndarray


class Gradients(NamedTuple):
    """Gradients of `sum(y * dy)`."""

    dx: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray
    drho: np.ndarray


class Branch(NamedTuple):
    """One normalization: `normalized = (x - mean) / deviation`, `count` elements a statistic."""

    normalized: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    deviation: np.ndarray
    count: np.ndarray


def random_weights(channels, seed=0):
    """Draws weights with one rho at each end, statistics away from mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    rho = rng.uniform(0.1, 0.9, channels)
    rho[: min(channels, 2)] = (0.0, 1.0)[: min(channels, 2)]
    return Weights(
        rng.normal(1, 0.5, channels),
        rng.normal(0, 0.5, channels),
        rho,
        rng.normal(2, 1, channels),
        rng.uniform(0.5, 3, channels),
    )


def _per_channel(values, rank, axis):
    shape = [1] * rank
    shape[axis] = -1
    return np.asarray(values, np.float64).reshape(shape)


def _valid(x, mask):
    """A mask covers all axes but the last."""
    if mask is None:
        return np.ones(x.shape, bool)
    return np.broadcast_to(np.asarray(mask, bool)[..., None], x.shape)


def _normalize(x, axes, epsilon, valid):
    count = np.maximum(valid.sum(axes, keepdims=True), 1)
    mean = np.where(valid, x, 0).sum(axes, keepdims=True) / count
    variance = np.where(valid, (x - mean) ** 2, 0).sum(axes, keepdims=True) / count
    deviation = np.sqrt(variance + epsilon)
    return Branch((x - mean) / deviation, mean, variance, deviation, count)


def _branches(x, weights, axis, epsilon, training, mask):
    x = np.asarray(x, np.float64)
    axis %= x.ndim
    over_batch = tuple(i for i in range(x.ndim) if i != axis)
    valid = _valid(x, mask)
    instance = _normalize(x, over_batch[1:], epsilon, valid)
    if training:
        return _normalize(x, over_batch, epsilon, valid), instance, over_batch, valid
    mean = _per_channel(weights.moving_mean, x.ndim, axis)
    variance = _per_channel(weights.moving_variance, x.ndim, axis)
    deviation = np.sqrt(variance + epsilon)
    batch = Branch((x - mean) / deviation, mean, variance, deviation, None)
    return batch, instance, over_batch, valid


def forward(x, weights, axis=-1, epsilon=1e-3, training=True, mask=None):
    """Y = (rho * x_batch + (1 - rho) * x_instance) * gamma + beta."""
    batch, instance, _, _ = _branches(x, weights, axis, epsilon, training, mask)
    gamma, beta, rho = (_per_channel(w, x.ndim, axis % x.ndim) for w in weights[:3])
    return (rho * batch.normalized + (1 - rho) * instance.normalized) * gamma + beta


def moving_statistics(x, weights, axis=-1, momentum=0.99, mask=None):
    """Moving mean and (biased) moving variance after one training step on `x`.

    A channel of which no element counts keeps both.
    """
    batch, _, over_batch, valid = _branches(x, weights, axis, 1.0, True, mask)
    counts = np.broadcast_to(valid, np.shape(x)).any(over_batch)
    return tuple(
        np.where(counts, momentum * old + (1 - momentum) * new.ravel(), old)
        for old, new in zip(
            np.asarray(weights[3:], np.float64), (batch.mean, batch.variance), strict=True
        )
    )


def _normalize_backward(branch, gradient, axes, valid):
    """Gradient through a normalization whose statistics are those of the input itself.

    With `d` the deviation and `n` the count, `dx = (g - (sum(g) + xhat * sum(g * xhat)) / n) / d`;
    an element that is left out of the statistics lacks the second part.
    """
    total = gradient.sum(axes, keepdims=True)
    along = (gradient * branch.normalized).sum(axes, keepdims=True)
    through_statistics = (total + branch.normalized * along) / branch.count
    return (gradient - np.where(valid, through_statistics, 0)) / branch.deviation


def backward(x, dy, weights, axis=-1, epsilon=1e-3, training=True, mask=None):
    """Gradients of `sum(forward(x) * dy)`."""
    batch, instance, over_batch, valid = _branches(x, weights, axis, epsilon, training, mask)
    dy = np.asarray(dy, np.float64)
    gamma, _, rho = (_per_channel(w, x.ndim, axis % x.ndim) for w in weights[:3])
    mixed = rho * batch.normalized + (1 - rho) * instance.normalized
    to_batch, to_instance = dy * gamma * rho, dy * gamma * (1 - rho)
    dx = _normalize_backward(instance, to_instance, over_batch[1:], valid)
    if training:
        dx = dx + _normalize_backward(batch, to_batch, over_batch, valid)
    else:
        dx = dx + to_batch / batch.deviation
    return Gradients(
        dx,
        (dy * mixed).sum(over_batch),
        dy.sum(over_batch),
        (dy * gamma * (batch.normalized - instance.normalized)).sum(over_batch),
    )


def gradient_penalty(x, dy, weights, epsilon=1e-3, training=True):
    """The penalty `sum((dL/dx)**2)` of `L = sum(dy * sin(y))`, which needs second derivatives."""
    y = forward(x, weights, epsilon=epsilon, training=training)
    gradients = backward(x, dy * np.cos(y), weights, epsilon=epsilon, training=training)
    return (gradients.dx**2).sum()
