"""The gradient of BIN in few passes over the input.

With the statistics of `moments`, `r = 1 / sqrt(v + e)`, `R = 1 / sqrt(V + e)`,
`xI = (x - m) * r` and `xB = (x - M) * R`, the output is

    y = gamma * (rho * xB + (1 - rho) * xI) + beta

Its gradients need two sums over the spatial elements of each sample and channel,

    sum(dy)   and   sum(dy * (x - m))

and after that only tensors of the size of the statistics. The sums over the whole batch
`A = sum(dy)`, `B = sum(dy * xB) = R * sum(dy * (x - m) + dy * (m - M))` and `I = sum(dy * xI)`
follow from them. Let `a` and `i` be A and I for one sample, w its number of elements (under a
mask, of valid ones) and W the sum of all w. Then

    dbeta  = A
    dgamma = rho * B + (1 - rho) * I
    drho   = gamma * (B - I)
    dx     = slope * dy - k * (x - m) - q
    slope  = gamma * (rho * R + (1 - rho) * r)
    k      = gamma * ((1 - rho) * r**2 * i / w + rho * R**2 * B / W)
    q      = gamma * ((1 - rho) * r * a / w + rho * R * (A + (m - M) * R * B) / W)

The terms over W come from the batch's statistics. If a loss depends on M and V directly, its
gradients with respect to them, dM and dV, add `(dM + 2 * (x - M) * dV) / W` to dx. In inference,
M and V are given and there are no terms over W, but

    dM = -gamma * rho * R * A
    dV = -gamma * rho * R**2 * B / 2

An element that a mask excludes is not in any statistic, so k and q are 0 there. Over several
replicas, what the batch's statistics add to k and q is summed for dx, as A, B, dM and dV are those
of all replicas there; the other gradients stay those of each replica.
Where these formulas have `x - m`, the code takes `x - pilot` and corrects for `m - pilot`.

The code consists of differentiable operations on tensors of the forward pass, so second
derivatives come from differentiating it, and no term is lost.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from keras_bin.normalization.averages import at_least_one, element_count, spatial_means
from keras_bin.normalization.axes import Axes
from keras_bin.normalization.formula import affine
from keras_bin.normalization.moments import BatchMoments, InstanceMoments
from keras_bin.normalization.replicas import sum_together
from keras_bin.normalization.small_tensors import computed_once, sum_over


class ForwardPass(NamedTuple):
    """What the gradient needs of a forward pass, apart from its input.

    Attributes:
        axes: the axes of the input.
        epsilon: added to the variances.
        valid: boolean tensor, False where an element does not count in the statistics, or None.
        replica_sum: sums a tensor over the replicas of a distributed step, or None.
        gamma: shape `(1, ..., channels, ..., 1)`; likewise `rho`, `batch_scale` and
            `instance_scale`, which are the results of `branch_scales`.
        rho: see `gamma`.
        instance: statistics of the samples; `shifted` is not used.
        batch: statistics of the batch branch.
        batch_scale: see `gamma`.
        instance_scale: see `gamma`.
    """

    axes: Axes
    epsilon: float
    valid: Any
    replica_sum: Callable[[Any], Any] | None
    gamma: Any
    rho: Any
    instance: InstanceMoments
    batch: BatchMoments
    batch_scale: Any
    instance_scale: Any


def gradients(
    x: Any, forward: ForwardPass, dy: Any, dmean: Any, dvariance: Any, _dcount: Any = None
) -> tuple[Any, ...]:
    """Computes the gradients of a forward pass's inputs from those of its results.

    Args:
        x: its input.
        forward: the forward pass.
        dy: gradient with respect to its output.
        dmean: gradient with respect to the mean of the batch branch.
        dvariance: gradient with respect to the variance of the batch branch.
        _dcount: gradient with respect to the number of elements, which depends on no input.

    Returns:
        The gradients with respect to `x`, `gamma`, `beta` and `rho`, and in inference also to the
        given mean and variance.
    """
    instance, batch, gamma, rho = forward.instance, forward.batch, forward.gamma, forward.rho
    batch_scale, instance_scale = forward.batch_scale, forward.instance_scale
    instance_rstd = ops.rsqrt(instance.variance + forward.epsilon)
    batch_rstd = ops.rsqrt(batch.variance + forward.epsilon)
    # Computed anew: between the two passes, only `x` itself has to be kept.
    shifted = x - instance.pilot
    # All sums are divided by the number of elements of a sample, which turns them into means.
    spatial = forward.axes.spatial
    elements = element_count(dy, spatial)
    dy_sums, shifted_sums = spatial_means((dy, dy * shifted), spatial)
    centered_sums = shifted_sums - instance.shifted_mean * dy_sums
    instance_sums = instance_rstd * centered_sums

    dy_total = sum_over(dy_sums, (0,))
    batch_total = batch_rstd * sum_over(centered_sums + batch.mean_difference * dy_sums, (0,))
    instance_total = sum_over(instance_sums, (0,))
    dbeta = elements * dy_total
    dgamma = elements * (rho * batch_total + (1 - rho) * instance_total)
    drho = elements * gamma * (batch_total - instance_total)

    instance_slope = instance_scale * instance_rstd
    slope = batch_scale + instance_slope
    if instance.masked:
        instance_slope = instance_slope * (elements / at_least_one(instance.count))
    k = instance_slope * (instance_rstd * instance_sums)
    q = instance_slope * dy_sums
    by_statistics: tuple[Any, ...] = ()
    if batch.count is None:
        by_statistics = (
            dmean - elements * batch_scale * dy_total,
            dvariance - elements * batch_scale * batch_rstd * batch_total / 2,
        )
    else:
        count = at_least_one(batch.count)
        batch_slope = batch_scale * (elements / count)
        batch_k = batch_slope * batch_rstd * batch_total - 2 * dvariance / count
        batch_q = batch_slope * dy_total - dmean / count
        if forward.replica_sum is not None:
            batch_k, batch_q = sum_together((batch_k, batch_q), forward.replica_sum)
        k = k + batch_k
        q = q + (batch_k * batch.mean_difference + batch_q)

    # dx = slope * dy - k * (x - m) - q
    slope, k, intercept = computed_once(slope, k, k * instance.shifted_mean - q)
    correction = affine(shifted, -k, intercept)
    if forward.valid is not None:
        correction = ops.where(forward.valid, correction, 0)
    dx = affine(dy, slope, correction)
    return dx, dgamma, dbeta, drho, *by_statistics
