"""Means and variances of samples and of a batch, without losing digits in float32.

A pilot, the average of the first 16th of the rows (under a mask, of all valid elements), is
subtracted from each sample before anything is scaled or summed: otherwise digits would cancel
if the mean is much larger than the standard deviation. With `d = x - pilot`, the shifted input,

    mean     = pilot + mean(d)
    variance = mean(d**2) - mean(d)**2

The difference loses four binary digits at worst, as long as the pilot's own rounding error is
small compared with the standard deviation: the average of a fraction f of the elements is within
`sqrt(1 / f - 1)` standard deviations of their mean, and f is at least 1 / 16.

For differentiation, the pilot is a constant: nothing depends on its choice. Means are
differentiated everywhere; `tf.nn.moments` stops the gradient at the mean inside the variance,
which leaves first derivatives right and BIN's second derivatives wrong.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras import ops

from keras_bin.normalization.averages import (
    at_least_one,
    element_count,
    first_rows,
    mean_over,
    moments_over,
    spatial_mean,
    spatial_means,
)
from keras_bin.normalization.replicas import sum_together
from keras_bin.normalization.small_tensors import sum_over


class InstanceMoments(NamedTuple):
    """Statistics of each sample, of shape `(batch, 1, ..., channels, ..., 1)` unless noted.

    Attributes:
        shifted: `x - pilot`, the shape of `x`.
        pilot: a value near the mean, in input units.
        shifted_mean: `mean - pilot`, with more digits than a large mean itself has.
        variance: biased, input units squared, never negative.
        count: number of elements behind a statistic: an integer or a scalar tensor; under a
            mask, one for each statistic.
    """

    shifted: Any
    pilot: Any
    shifted_mean: Any
    variance: Any
    count: Any

    def mean_minus(self, mean: Any) -> Any:
        """Returns each sample's mean minus `mean`, with more digits than large means have."""
        return self.shifted_mean + (self.pilot - mean)

    @property
    def masked(self) -> bool:
        """Whether samples may have different numbers of elements."""
        return len(getattr(self.count, "shape", ())) > 0


class BatchMoments(NamedTuple):
    """Statistics of the batch branch, one value per channel unless noted.

    Attributes:
        mean: shape `(1, 1, ..., channels, ..., 1)`, in input units.
        variance: the shape of `mean`, biased, input units squared, never negative.
        mean_difference: each sample's mean minus `mean`, shape
            `(batch, 1, ..., channels, ..., 1)`.
        count: number of elements behind the statistics, over all replicas: an integer or a scalar
            tensor; under a mask, one for each channel. None where the statistics are not those of
            the batch.
    """

    mean: Any
    variance: Any
    mean_difference: Any
    count: Any


def instance_moments(x: Any, axes: Sequence[int], valid: Any | None = None) -> InstanceMoments:
    """Computes the mean and biased variance of every sample and channel over `axes`.

    Args:
        x: float tensor, at least float32.
        axes: the spatial axes, all but batch and channel, ascending.
        valid: boolean tensor of the shape of `x`, False where an element must not count,
            or None if all count. Samples without a valid element get mean and variance 0.

    Returns:
        The `InstanceMoments` of `x`; those of a sample depend only on that sample.

    Source: Nam & Kim 2018, section 3: the statistics of instance normalization.
    """
    if valid is None:
        count = element_count(x, axes)
        pilot = spatial_mean(first_rows(x, axes[0]), axes)

        def averages(*values: Any) -> list[Any]:
            return spatial_means(values, axes)
    else:
        count = sum_over(ops.cast(valid, x.dtype), axes)
        elements_per_valid = element_count(x, axes) / at_least_one(count)

        def averages(*values: Any) -> list[Any]:
            means = spatial_means([ops.where(valid, each, 0) for each in values], axes)
            return [mean * elements_per_valid for mean in means]

        (pilot,) = averages(x)
    # A selection makes compilers round the pilot once for all its uses; they would otherwise fuse
    # the division of the mean into each of them.
    pilot = ops.stop_gradient(ops.where(ops.isfinite(pilot), pilot, 0))
    shifted = x - pilot
    shifted_mean, squares = averages(shifted, ops.square(shifted))
    variance = squares - ops.square(shifted_mean)
    # Rounding may leave a variance below 0. It is raised to 0 without a `maximum`, which would
    # halve the gradient at 0.
    variance = variance - ops.stop_gradient(ops.minimum(variance, 0))
    return InstanceMoments(shifted, pilot, shifted_mean, variance, count)


def moments_about(x: Any, pilot: Any, axes: Sequence[int]) -> InstanceMoments:
    """Computes what `instance_moments` does without a mask, with a given pilot.

    It averages over the last axis first, and over the others by the law of total variance:
    TensorFlow does this faster, and sums stay short. The variance is taken about the mean, in
    two passes, so the pilot may be any element of the sample.

    Args:
        x: float tensor, at least float32.
        pilot: a value near the mean of every sample, one per sample and channel.
        axes: the spatial axes, all but batch and channel, ascending.
    """
    shifted = x - pilot
    mean, variance = moments_over(shifted, axes[-1])
    for axis in reversed(axes[:-1]):
        parts = mean
        mean = mean_over(parts, axis)
        variance = mean_over(variance + ops.square(parts - mean), axis)
    return InstanceMoments(shifted, pilot, mean, variance, element_count(x, axes))


def batch_moments(
    instance: InstanceMoments, replica_sum: Callable[[Any], Any] | None = None
) -> BatchMoments:
    """Computes the mean and biased variance of the batch without reading `x` again.

    By the law of total variance, with `m` and `v` the statistics of the samples, weighted by
    their numbers of elements: `M = mean(m)` and `V = mean(v + (m - M)**2)` over the samples.

    Args:
        instance: the statistics of the samples.
        replica_sum: sums a tensor over the replicas of a distributed step, or None.

    Returns:
        The `BatchMoments`; mean and variance are 0 where nothing counts.
    """
    if replica_sum is not None:
        return _moments_of_replicas(instance, replica_sum)
    pilot = sum_over(instance.pilot[:1], (0,))
    shifted_means = instance.shifted_mean + (instance.pilot - pilot)
    if instance.masked:
        total = sum_over(instance.count, (0,))
    else:
        total = element_count(shifted_means, (0,))

    def average(values: Any) -> Any:
        if instance.masked:
            values = instance.count * values
        return sum_over(values, (0,)) / at_least_one(total)

    shifted_mean = average(shifted_means)
    mean_difference = shifted_means - shifted_mean
    variance = average(instance.variance + ops.square(mean_difference))
    count = total if instance.masked else total * instance.count
    return BatchMoments(pilot + shifted_mean, variance, mean_difference, count)


def _moments_of_replicas(
    instance: InstanceMoments, replica_sum: Callable[[Any], Any]
) -> BatchMoments:
    """Computes the same over all replicas, of which none knows the others' pilots.

    Sums of `m` and of `v + m**2` need one collective; a common pilot, which would have to be
    agreed upon first, would need another. float64 keeps the digits that cancel.
    """

    def double(values: Any) -> Any:
        return ops.cast(values, "float64")

    means = double(instance.pilot) + double(instance.shifted_mean)
    squares = double(instance.variance) + ops.square(means)
    counts = double(instance.count)
    total = sum_over(counts, (0,)) if instance.masked else counts * element_count(means, (0,))
    sums = [sum_over(counts * values, (0,)) for values in (means, squares)]
    mean, square, total = sum_together([*sums, total], replica_sum)
    mean, square = mean / at_least_one(total), square / at_least_one(total)
    variance = square - ops.square(mean)
    variance = variance - ops.stop_gradient(ops.minimum(variance, 0))
    dtype = instance.shifted_mean.dtype
    return BatchMoments(*(ops.cast(each, dtype) for each in (mean, variance, means - mean, total)))
