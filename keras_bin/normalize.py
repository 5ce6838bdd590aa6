"""Batch-instance normalization of a tensor, and its gradient in few passes over it.

With the statistics of `keras_bin.statistics`, `r = 1 / sqrt(v + e)`, `R = 1 / sqrt(V + e)` and
`h = rho * R + (1 - rho) * r`, the output is

    y = gamma * (h * (x - m) + rho * R * (m - M)) + beta

Its gradients need two sums over the P spatial elements of each sample and channel,

    shift   = sum(dy)
    stretch = sum(dy * (x - m))

and from there on only tensors of the size of the statistics. With sums over the samples
`A = sum(shift)`, `B = R * sum(stretch + (m - M) * shift)` and `I = sum(r * stretch)`, a
sample's weight w (P, or under a mask its number of valid elements) and `W = sum(w)`:

    dbeta  = A
    dgamma = rho * B + (1 - rho) * I
    drho   = gamma * (B - I)
    dx     = gamma * h * dy - k * (x - m) - q
    k      = gamma * ((1 - rho) * r**3 * stretch / w + rho * R**2 * B / W)
    q      = gamma * ((1 - rho) * r * shift / w + rho * R * (A + (m - M) * R * B) / W)

The terms over W come from the batch's statistics; in inference, where M and V are given, there
are none. An element that a mask excludes takes part in no statistic, so k and q are 0 there.
Over several replicas A and B are summed up for dx; the other gradients stay those of a replica.

Derivatives of second order are found by differentiating these lines, which are made of the
forward pass's own tensors, so that nothing is left out.
"""

import keras
from keras import ops

from keras_bin.statistics import (
    BatchMoments,
    axiswise_mean,
    batch_moments,
    blend,
    branch_scales,
    element_count,
    instance_moments,
)


def normalize(x, gamma, beta, rho, epsilon, axes, moving=None, valid=None, replica_sum=None):
    """Normalizes `x`, in training with the statistics of the batch, else with those given.

    Args:
        x: float tensor, at least float32.
        gamma: learned scale; it, `beta` and `rho` have shape `(1, ..., channels, ..., 1)`.
        beta: learned offset.
        rho: gate, in [0, 1].
        epsilon: float above 0, added to the variances.
        axes: the spatial axes, all but batch and channel, ascending.
        moving: `(mean, variance)` of the batch branch, the shape of `rho`, in inference;
            None in training.
        valid: boolean tensor of the shape of `x`, False where an element must not count in
            the statistics, or None if all count.
        replica_sum: adds tensors up over the replicas of a distributed step, or None.

    Returns:
        `(y, mean, variance)`: the normalized tensor, and the statistics of the batch branch.

    Source: Nam & Kim 2018, section 3.
    """

    def forward(x, gamma, beta, rho):
        instance = instance_moments(x, axes, valid)
        if moving is None:
            batch = batch_moments(instance, replica_sum)
        else:
            batch = BatchMoments(*moving, offset=instance.mean - moving[0], count=None)
        scales = branch_scales(gamma, rho, batch.variance, epsilon)
        return blend(instance, batch.offset, *scales, beta, epsilon), instance, batch

    @ops.custom_gradient
    def forward_with_gradient(x, gamma, beta, rho):
        y, instance, batch = forward(x, gamma, beta, rho)

        def gradient(*upstream):
            # TensorFlow gives one argument for each output, JAX one tuple.
            dy = keras.tree.flatten(upstream)[0]
            return _gradients(dy, gamma, rho, instance, batch, epsilon, axes, valid, replica_sum)

        return (y, batch.mean, batch.variance), gradient

    if keras.backend.backend() == "torch":
        # PyTorch records nothing inside of a function with a gradient of its own, so second
        # derivatives would lack what goes through the statistics.
        y, _, batch = forward(x, gamma, beta, rho)
        return y, batch.mean, batch.variance
    return forward_with_gradient(x, gamma, beta, rho)


def _gradients(dy, gamma, rho, instance, batch, epsilon, axes, valid, replica_sum):
    """Returns the gradients by `x`, `gamma`, `beta` and `rho`."""
    inverse = ops.rsqrt(instance.variance + epsilon)
    batch_inverse = ops.rsqrt(batch.variance + epsilon)
    # Sums in units of `unit` elements: means along all axes but the first are faster than sums,
    # and shorter, because XLA makes one long sum of two.
    unit = element_count(dy, axes[1:])
    shift = _sum_of_means(dy, axes)
    stretch = _sum_of_means(dy * instance.centred, axes)

    shift_sum = ops.sum(shift, 0, keepdims=True)
    batch_sum = batch_inverse * ops.sum(stretch + batch.offset * shift, 0, keepdims=True)
    instance_sum = ops.sum(inverse * stretch, 0, keepdims=True)
    dbeta = unit * shift_sum
    dgamma = unit * (rho * batch_sum + (1 - rho) * instance_sum)
    drho = unit * gamma * (batch_sum - instance_sum)

    scale, instance_scale = branch_scales(gamma, rho, batch.variance, epsilon)
    share = instance_scale * (unit / ops.maximum(instance.count, 1)) * inverse
    k = share * (inverse * (inverse * stretch))
    q = share * shift
    if batch.count is not None:
        if replica_sum is not None:
            shift_sum, batch_sum = replica_sum((shift_sum, batch_sum))
        batch_share = scale * (unit / batch.count)
        batch_k = batch_share * batch_inverse * batch_sum
        k = k + batch_k
        q = q + (batch_k * batch.offset + batch_share * shift_sum)

    through_statistics = instance.centred * k + q
    if valid is not None:
        through_statistics = ops.where(valid, through_statistics, 0)
    dx = dy * (scale + instance_scale * inverse) - through_statistics
    return dx, dgamma, dbeta, drho


def _sum_of_means(x, axes):
    return ops.sum(axiswise_mean(x, axes[1:]), axes[0], keepdims=True)
