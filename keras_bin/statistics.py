"""The mathematics of BIN, once, for training, inference and folding.

BIN is an affine map per sample and channel. With the instance statistics `m`, `v` of a
sample, the statistics `M`, `V` of the batch branch, and `e` for epsilon:

    scale          = gamma * rho / sqrt(V + e)
    instance_scale = gamma * (1 - rho)
    y = (x - m) * (scale + instance_scale / sqrt(v + e)) + scale * (m - M) + beta

Training and inference differ only in where `M` and `V` come from. The input is centred
before it is scaled, which keeps digits in float32 that `a * x + c` loses where the mean is
large beside the standard deviation.

Means are differentiated everywhere. `tf.nn.moments` stops the gradient at the mean inside
the variance, which leaves first derivatives right and BIN's second derivatives wrong.
"""

import math
import numbers
from typing import Any, NamedTuple

from keras import ops


class InstanceMoments(NamedTuple):
    """Statistics of each sample; `mean`, `variance`, `weight` broadcast against `centred`.

    Attributes:
        centred: `x - mean`, the shape of `x`.
        mean: shape `(batch, 1, ..., channels, ..., 1)`, in input units.
        variance: the shape of `mean`, biased, input units squared, never negative.
        weight: the shape of `mean`, the weight of a sample in the batch statistics: its
            number of valid elements under a mask, 1 without.
    """

    centred: Any
    mean: Any
    variance: Any
    weight: Any


def check_epsilon(epsilon: float) -> None:
    """Checks that `epsilon` keeps the square roots away from zero.

    Raises:
        ValueError: it is not a finite number above 0.
    """
    if not (isinstance(epsilon, numbers.Real) and 0 < epsilon < math.inf):
        raise ValueError(
            "`epsilon` must be a finite number above 0, or constant inputs would divide by zero. "
            f"Received: epsilon={epsilon!r}"
        )


def instance_moments(x, axes, valid=None) -> InstanceMoments:
    """Computes mean and biased variance of every sample and channel over `axes`.

    Args:
        x: float tensor, at least float32.
        axes: the spatial axes, all but batch and channel.
        valid: boolean tensor of the shape of `x`, False where an element must not count,
            or None if all count. Samples without a valid element get mean and variance 0.

    Returns:
        The `InstanceMoments` of `x`.

    Source: Nam & Kim 2018, section 3: the statistics of instance normalization.
    """
    if valid is None:
        mean = ops.mean(x, axes, keepdims=True)
        centred = x - mean
        variance = ops.mean(ops.square(centred), axes, keepdims=True)
        return InstanceMoments(centred, mean, variance, ops.ones_like(mean))
    count = ops.sum(ops.cast(valid, x.dtype), axes, keepdims=True)
    divisor = ops.maximum(count, 1)
    mean = ops.sum(ops.where(valid, x, 0), axes, keepdims=True) / divisor
    centred = x - mean
    deviation = ops.where(valid, centred, 0)
    variance = ops.sum(ops.square(deviation), axes, keepdims=True) / divisor
    return InstanceMoments(centred, mean, variance, count)


def batch_moments(instance: InstanceMoments, replica_sum=None):
    """Computes mean and biased variance of the batch without a second look at `x`.

    By the law of total variance, with the samples' weights:
    `M = mean(m)` and `V = mean(v + (m - M)**2)` over the samples.

    Args:
        instance: the statistics of the samples.
        replica_sum: adds a tensor up over the replicas of a distributed step, or None.

    Returns:
        `(mean, variance)`, shape `(1, 1, ..., channels, ..., 1)`.
    """

    def total(values):
        values = ops.sum(values, axis=0, keepdims=True)
        return values if replica_sum is None else replica_sum(values)

    weight = ops.maximum(total(instance.weight), 1)
    mean = total(instance.weight * instance.mean) / weight
    spread = instance.variance + ops.square(instance.mean - mean)
    return mean, total(instance.weight * spread) / weight


def branch_scales(gamma, rho, variance, epsilon):
    """Splits gamma into the factor of the centred input and that of the instance branch.

    Formula: `scale = gamma * rho / sqrt(variance + epsilon)` and
    `instance_scale = gamma * (1 - rho)`. Only Python operators are used, so that folding
    can run the same lines on float64 NumPy arrays.

    Args:
        gamma: learned scale, one value per channel, or 1.
        rho: gate, one value per channel, in [0, 1].
        variance: variance of the batch branch, one value per channel, never negative.
        epsilon: float above 0.

    Returns:
        `(scale, instance_scale)`.
    """
    return gamma * rho / (variance + epsilon) ** 0.5, gamma * (1 - rho)


def blend(instance: InstanceMoments, mean, scale, instance_scale, offset, epsilon):
    """Applies the affine map of BIN to the centred input.

    Args:
        instance: the statistics of the samples.
        mean: mean of the batch branch, one value per channel.
        scale: first result of `branch_scales`.
        instance_scale: second result of `branch_scales`.
        offset: learned beta, one value per channel, or 0.
        epsilon: float above 0.

    Returns:
        The normalized tensor, the shape of the input.

    Source: Nam & Kim 2018, section 3, with the terms of the formula in another order.
    """
    slope = scale + instance_scale * ops.rsqrt(instance.variance + epsilon)
    return instance.centred * slope + (scale * (instance.mean - mean) + offset)
