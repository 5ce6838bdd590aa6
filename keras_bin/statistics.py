"""The mathematics of BIN, once, for training, inference and folding.

BIN is an affine map per sample and channel. With the instance statistics `m`, `v` of a
sample, the statistics `M`, `V` of the batch branch, and `e` for epsilon:

    scale          = gamma * rho / sqrt(V + e)
    instance_scale = gamma * (1 - rho)
    y = (x - m) * (scale + instance_scale / sqrt(v + e)) + scale * (m - M) + beta

Training and inference differ only in where `M` and `V` come from.

Digits are kept where float32 would lose them. A pilot, the average of the first 16th of the
rows (under a mask, of all valid elements), is subtracted from each sample before anything is
summed up or scaled: `a * x + c` cancels where the mean is large beside the standard deviation.
With `d = x - pilot`,

    m = pilot + mean(d)
    v = mean(d**2) - mean(d)**2

This difference loses four binary digits at worst, as long as the pilot's own rounding is small
beside the standard deviation: the average of a fraction f of the elements is within
`sqrt(1 / f - 1)` standard deviations of their mean, and f is at least 1 / 16.

The pilot is a constant for differentiation: nothing depends on its choice. Means are
differentiated everywhere; `tf.nn.moments` stops the gradient at the mean inside the variance,
which leaves first derivatives right and BIN's second derivatives wrong.
"""

import math
import numbers
from typing import Any, NamedTuple

from keras import ops

from keras_bin.averages import (
    at_least_one,
    element_count,
    first_element,
    first_rows,
    spatial_mean,
)


class InstanceMoments(NamedTuple):
    """Statistics of each sample, of shape `(batch, 1, ..., channels, ..., 1)` unless noted.

    Attributes:
        distance: `x - pilot`, the shape of `x`.
        pilot: a value near the mean, in input units.
        deviation: `mean - pilot`, to more digits than the mean has where it is large.
        variance: biased, input units squared, never negative.
        count: number of elements behind a statistic: an integer or a scalar tensor; under a
            mask one each.
    """

    distance: Any
    pilot: Any
    deviation: Any
    variance: Any
    count: Any

    def offset_from(self, mean):
        """Mean of each sample minus `mean`, to more digits than either has where it is large."""
        return self.deviation + (self.pilot - mean)

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
        The `InstanceMoments` of `x`, which for each sample depend on nothing but the sample.

    Source: Nam & Kim 2018, section 3: the statistics of instance normalization.
    """
    if valid is None:
        count = element_count(x, axes)
        pilot = spatial_mean(first_rows(x, axes[0]), axes)

        def average(values):
            return spatial_mean(values, axes)
    else:
        count = ops.sum(ops.cast(valid, x.dtype), axes, keepdims=True)
        share = element_count(x, axes) / at_least_one(count)

        def average(values):
            return spatial_mean(ops.where(valid, values, 0), axes) * share

        pilot = average(x)
    # A selection makes compilers round the pilot once for all its uses; they would otherwise fuse
    # the division of the mean into each of them.
    pilot = ops.stop_gradient(ops.where(ops.isfinite(pilot), pilot, 0))
    distance = x - pilot
    deviation = average(distance)
    variance = average(ops.square(distance)) - ops.square(deviation)
    # Rounding below 0 is taken back beside the derivatives: a maximum would halve them at 0.
    variance = variance - ops.stop_gradient(ops.minimum(variance, 0))
    return InstanceMoments(distance, pilot, deviation, variance, count)


def moments_about(x, pilot, axes) -> InstanceMoments:
    """Computes what `instance_moments` does without a mask, with a pilot that is given.

    Rows come first, and the other axes by the law of total variance: TensorFlow is faster at
    that, and sums stay short. The variance is that of distances from the mean, in two passes, so
    that the pilot may be any element of the sample.

    Args:
        x: float tensor, at least float32.
        pilot: a value near the mean of every sample, one per sample and channel.
        axes: the spatial axes, all but batch and channel, ascending.
    """
    distance = x - pilot
    deviation, variance = ops.moments(distance, axes[-1], keepdims=True)
    for axis in reversed(axes[:-1]):
        rows = deviation
        deviation = ops.mean(rows, axis, keepdims=True)
        variance = ops.mean(variance + ops.square(rows - deviation), axis, keepdims=True)
    return InstanceMoments(distance, pilot, deviation, variance, element_count(x, axes))


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
    pilot = ops.sum(instance.pilot[:1], 0, keepdims=True)
    deviation = instance.deviation + (instance.pilot - pilot)
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
    """Applies the affine map of BIN.

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
    intercept = scale * offset + beta - instance.deviation * slope
    return instance.distance * slope + intercept


def apply_constants(x, constants, axes, epsilon, mask=None):
    """Computes what is left of a layer at inference, when all but the sample is constant.

        y = (x - m) * (scale + instance_scale / sqrt(v + epsilon)) + scale * (m - mean) + offset

    Args:
        x: float tensor, at least float32.
        constants: `(scale, offset, instance_scale, mean)`, each of shape `(channels,)`. None
            stands for a `scale` of 0, an `instance_scale` of 0 or a `mean` of 0.
        axes: the `keras_bin.axes.Axes` of `x`.
        epsilon: float above 0, added to the variance of a sample.
        mask: boolean tensor with one axis less than `x`, or None.
    """
    scale, offset, instance_scale, mean = (
        None if values is None else axes.per_channel(ops.cast(values, x.dtype))
        for values in constants
    )
    if instance_scale is None:
        return x * scale + offset
    if mask is None:
        instance = moments_about(x, first_element(x, axes.spatial), axes.spatial)
    else:
        instance = instance_moments(x, axes.spatial, axes.valid(mask, x))
    distance = instance.offset_from(0 if mean is None else mean)
    return blend(instance, distance, 0 if scale is None else scale, instance_scale, offset, epsilon)
