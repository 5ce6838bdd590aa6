"""The mathematics of BIN, once, for training, inference and folding.

BIN is an affine map per sample and channel. With the instance statistics `m`, `v` of a
sample, the statistics `M`, `V` of the batch branch, and `e` for epsilon:

    scale          = gamma * rho / sqrt(V + e)
    instance_scale = gamma * (1 - rho)
    y = (x - m) * (scale + instance_scale / sqrt(v + e)) + scale * (m - M) + beta

Training and inference differ only in where `M` and `V` come from.

Digits are kept where float32 would lose them. The input is centred before it is scaled;
`a * x + c` cancels where the mean is large beside the standard deviation. Means are sums of
distances from a pilot, an average of a few neighbouring elements, so that long sums round off
parts of the input's spread, not of its mean. Sums run over one axis after the other, which
makes them shorter.

The pilot is a constant for differentiation: nothing depends on its choice. Means are
differentiated everywhere; `tf.nn.moments` stops the gradient at the mean inside the variance,
which leaves first derivatives right and BIN's second derivatives wrong.
"""

import math
import numbers
from typing import Any, NamedTuple

from keras import ops

# Neighbours that are averaged before the pilot is subtracted, which makes the subtraction cheap.
# The average of four equal floats is that float; of eight it is not, and a channel of constant
# images would get the rounding error of its mean for its standard deviation.
_NEIGHBOURS = 4


class InstanceMoments(NamedTuple):
    """Statistics of each sample, of shape `(batch, 1, ..., channels, ..., 1)` unless noted.

    Attributes:
        centred: `x - mean`, the shape of `x`.
        mean: in input units.
        variance: biased, input units squared, never negative.
        pilot: a value near the first sample's mean, shape `(1, 1, ..., channels, ..., 1)`.
        deviation: `mean - pilot`, to more digits than `mean` has where the mean is large.
        count: number of elements behind a statistic: an integer or a scalar tensor; under a
            mask one each.
    """

    centred: Any
    mean: Any
    variance: Any
    pilot: Any
    deviation: Any
    count: Any

    @property
    def masked(self) -> bool:
        """Whether samples may differ in their number of elements."""
        return len(getattr(self.count, "shape", ())) > 0


class BatchMoments(NamedTuple):
    """Statistics of the batch branch, one value per channel but for `offset`.

    Attributes:
        mean: shape `(1, 1, ..., channels, ..., 1)`, in input units.
        variance: the shape of `mean`, biased, input units squared, never negative.
        offset: mean of each sample minus `mean`, shape `(batch, 1, ..., channels, ..., 1)`.
        count: number of elements behind the statistics, over all replicas, at least 1; None
            where the statistics are not those of the batch.
    """

    mean: Any
    variance: Any
    offset: Any
    count: Any


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
        axes: the spatial axes, all but batch and channel, ascending.
        valid: boolean tensor of the shape of `x`, False where an element must not count,
            or None if all count. Samples without a valid element get mean and variance 0.

    Returns:
        The `InstanceMoments` of `x`. But for `pilot` and `deviation`, those of a sample depend
        on nothing but the sample, to the last digit.

    Source: Nam & Kim 2018, section 3: the statistics of instance normalization.
    """
    if valid is not None:
        return _masked_moments(x, axes, valid)
    rough, rough_axes = _average_neighbours(x, axes)
    pilots = ops.stop_gradient(_first(rough, rough_axes))
    deviation = axiswise_mean(rough - pilots, rough_axes)
    mean = pilots + deviation
    centred = x - mean
    variance = axiswise_mean(ops.square(centred), axes)
    pilot = _first(pilots, (0,))
    deviation = deviation + (pilots - pilot)
    return InstanceMoments(centred, mean, variance, pilot, deviation, element_count(x, axes))


def _masked_moments(x, axes, valid):
    def total(values):
        return ops.sum(ops.where(valid, values, 0), axes, keepdims=True)

    count = total(ops.ones_like(x))
    divisor = at_least_one(count)
    pilots = ops.stop_gradient(total(x) / divisor)
    deviation = total(x - pilots) / divisor
    mean = pilots + deviation
    centred = x - mean
    variance = total(ops.square(centred)) / divisor
    pilot = _first(pilots, (0,))
    deviation = deviation + (pilots - pilot)
    return InstanceMoments(centred, mean, variance, pilot, deviation, count)


def axiswise_mean(x, axes):
    """Averages over `axes`, last axis first, and keeps them with size 1."""
    for axis in reversed(axes):
        x = ops.mean(x, axis, keepdims=True)
    return x


def element_count(x, axes):
    """Returns the number of elements along `axes`, a scalar tensor if it is not known yet."""
    count = math.prod(ops.shape(x)[axis] for axis in axes)
    return count if isinstance(count, int) else ops.cast(count, x.dtype)


def at_least_one(count):
    """Returns `count` where it is not 0, else 1."""
    return max(count, 1) if isinstance(count, int) else ops.maximum(count, 1)


def _average_neighbours(x, axes):
    """Averages 4 or 2 neighbours, if the sizes along `axes` are known and allow it.

    Returns the averages, of the rank of `x`, and the axes along which they lie.
    """
    first, last = axes[0], axes[-1]
    sizes = x.shape[first : last + 1]
    adjacent = len(axes) == len(sizes)
    known = adjacent and None not in sizes and 0 not in sizes
    neighbours = math.gcd(math.prod(sizes), _NEIGHBOURS) if known else 1
    if neighbours == 1:
        return x, axes
    groups = [math.prod(sizes) // neighbours, neighbours] + [1] * (len(axes) - 1)
    grouped = ops.reshape(x, [-1, *x.shape[1:first], *groups, *x.shape[last + 1 :]])
    return ops.mean(grouped, first + 1), (first,)


def _first(x, axes):
    """Returns the first element along `axes`, which stay with size 1; 0 where there is none."""
    index = tuple(slice(1) if axis in axes else slice(None) for axis in range(len(x.shape)))
    return ops.sum(x[index], axes, keepdims=True)


def batch_moments(instance: InstanceMoments, replica_sum=None) -> BatchMoments:
    """Computes mean and biased variance of the batch without a second look at `x`.

    By the law of total variance, with the samples' weights:
    `M = mean(m)` and `V = mean(v + (m - M)**2)` over the samples.

    Args:
        instance: the statistics of the samples.
        replica_sum: adds tensors up over the replicas of a distributed step, or None.

    Returns:
        The `BatchMoments`.
    """
    pilot, deviation = instance.pilot, instance.deviation
    if instance.masked:
        total = ops.sum(instance.count, axis=0, keepdims=True)
    else:
        total = element_count(deviation, (0,))
    if replica_sum is not None:
        own, total = pilot, ops.cast(total, pilot.dtype)
        pilot, replicas, total = replica_sum((pilot, ops.ones_like(pilot), total))
        pilot = pilot / replicas
        deviation = deviation + (own - pilot)
    total = at_least_one(total)

    def average(values):
        if instance.masked:
            values = instance.count * values
        values = ops.sum(values, axis=0, keepdims=True)
        return (values if replica_sum is None else replica_sum(values)) / total

    mean = average(deviation)
    offset = deviation - mean
    variance = average(instance.variance + ops.square(offset))
    count = total if instance.masked else total * at_least_one(instance.count)
    return BatchMoments(pilot + mean, variance, offset, count)


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


def blend(instance: InstanceMoments, offset, scale, instance_scale, beta, epsilon):
    """Applies the affine map of BIN to the centred input.

    Args:
        instance: the statistics of the samples.
        offset: mean of each sample minus mean of the batch branch.
        scale: first result of `branch_scales`.
        instance_scale: second result of `branch_scales`.
        beta: learned offset, one value per channel, or 0.
        epsilon: float above 0.

    Returns:
        The normalized tensor, the shape of the input.

    Source: Nam & Kim 2018, section 3, with the terms of the formula in another order.
    """
    slope = scale + instance_scale * ops.rsqrt(instance.variance + epsilon)
    return instance.centred * slope + (scale * offset + beta)
