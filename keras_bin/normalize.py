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

The terms over W come from the batch's statistics. Gradients by M and V, dM and dV, that arrive
from elsewhere in training, add `(dM + 2 * (x - M) * dV) / W` to dx. In inference M and V are
given and there are no terms over W, but

    dM = -gamma * rho * R * A
    dV = -gamma * rho * R**2 * B / 2

An element that a mask excludes takes part in no statistic, so k and q are 0 there. Over several
replicas A, B, dM and dV are summed up for dx; the other gradients stay those of a replica.
Where these formulas have `x - m`, the code takes `x - pilot` and corrects for `m - pilot`.

Derivatives of second order are found by differentiating these lines, which are made of the
forward pass's own tensors, so that nothing is left out.
"""

import functools

import keras
from keras import ops

from keras_bin.averages import at_least_one, element_count, spatial_mean
from keras_bin.statistics import (
    BatchMoments,
    batch_moments,
    blend,
    branch_scales,
    instance_moments,
)


def normalize(x, weights, axes, epsilon, moving=None, valid=None, replica_sum=None):
    """Normalizes `x`, in training with the statistics of the batch, else with those given.

    Args:
        x: float tensor, at least float32.
        weights: `(gamma, beta, rho)`, each of shape `(channels,)`; gamma and beta may be None.
        axes: the `keras_bin.axes.Axes` of `x`.
        epsilon: float above 0, added to the variances.
        moving: `(mean, variance)` of the batch branch in inference, each of shape
            `(channels,)`; None in training.
        valid: boolean tensor of the shape of `x`, False where an element must not count in
            the statistics, or None if all count.
        replica_sum: adds tensors up over the replicas of a distributed step, or None.

    Returns:
        `(y, mean, variance)`: the normalized tensor, and the statistics of the batch branch,
        each of shape `(channels,)`.

    Source: Nam & Kim 2018, section 3.
    """
    if replica_sum is None and _in_tensorflow_graph():
        return _shared_function(axes, epsilon)(x, weights, moving, valid)
    return _normalize(axes, epsilon, x, weights, moving, valid, replica_sum)


def _in_tensorflow_graph():
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.inside_function()


@functools.cache
def _shared_function(axes, epsilon):
    """Returns a function that TensorFlow traces once for all layers of equal shapes."""
    import tensorflow as tf

    return tf.function(functools.partial(_normalize, axes, epsilon), autograph=False)


def _normalize(axes, epsilon, x, weights, moving, valid, replica_sum=None):
    def per_channel(values, default=None):
        if values is None:
            values = ops.full((axes.channels,), default)
        return axes.per_channel(ops.cast(values, x.dtype))

    def forward(x, gamma, beta, rho, *given):
        instance = instance_moments(x, axes.spatial, valid)
        if given:
            batch = BatchMoments(*given, offset=instance.offset_from(given[0]), count=None)
        else:
            batch = batch_moments(instance, replica_sum)
        scales = branch_scales(gamma, rho, batch.variance, epsilon)
        return blend(instance, batch.offset, *scales, beta, epsilon), instance, batch, scales

    @ops.custom_gradient
    def forward_with_gradient(x, gamma, beta, rho, *given):
        y, instance, batch, scales = forward(x, gamma, beta, rho, *given)

        def gradient(*upstream):
            # TensorFlow gives one argument for each output, JAX one tuple of them.
            upstream = keras.tree.flatten(upstream)
            statistics = (instance, batch, scales)
            return _gradients(upstream, gamma, rho, *statistics, axes, epsilon, valid, replica_sum)

        return (y, batch.mean, batch.variance), gradient

    gamma, beta, rho = weights
    inputs = [x, per_channel(gamma, 1), per_channel(beta, 0), per_channel(rho)]
    if moving is not None:
        inputs.extend(map(per_channel, moving))
    if keras.backend.backend() == "torch":
        # Keras's custom gradients are torch.autograd.Functions with one output, inside of which
        # PyTorch records nothing, so second derivatives would lack terms.
        y, _, (mean, variance, *_), _ = forward(*inputs)
    else:
        y, mean, variance = forward_with_gradient(*inputs)
    return y, *(ops.reshape(values, (axes.channels,)) for values in (mean, variance))


def _gradients(upstream, gamma, rho, instance, batch, scales, axes, epsilon, valid, replica_sum):
    """Returns the gradients by `x`, `gamma`, `beta`, `rho`, and M and V where they are given."""
    dy, dmean, dvariance = upstream
    scale, instance_scale = scales
    inverse = ops.rsqrt(instance.variance + epsilon)
    batch_inverse = ops.rsqrt(batch.variance + epsilon)
    # Sums in units of the number of elements, which are means.
    unit = element_count(dy, axes.spatial)
    shift = spatial_mean(dy, axes.spatial)
    stretch = spatial_mean(dy * instance.distance, axes.spatial) - instance.deviation * shift
    own = inverse * stretch

    shift_sum = ops.sum(shift, 0, keepdims=True)
    batch_sum = batch_inverse * ops.sum(stretch + batch.offset * shift, 0, keepdims=True)
    instance_sum = ops.sum(own, 0, keepdims=True)
    dbeta = unit * shift_sum
    dgamma = unit * (rho * batch_sum + (1 - rho) * instance_sum)
    drho = unit * gamma * (batch_sum - instance_sum)

    instance_slope = instance_scale * inverse
    slope = scale + instance_slope
    # It divides below, its square in second derivatives: float32 must tell both from 0.
    slope = slope + ops.cast(ops.where(slope < 0, -1e-18, 1e-18), slope.dtype)
    if instance.masked:
        instance_slope = instance_slope * (unit / at_least_one(instance.count))
    k = instance_slope * (inverse * own)
    q = instance_slope * shift
    to_statistics = ()
    if batch.count is None:
        to_statistics = (
            dmean - unit * scale * shift_sum,
            dvariance - unit * scale * batch_inverse * batch_sum / 2,
        )
    else:
        totals = (shift_sum, batch_sum, dmean, dvariance)
        if replica_sum is not None:
            totals = replica_sum(totals)
        shift_sum, batch_sum, dmean, dvariance = totals
        batch_share = scale * (unit / batch.count)
        batch_k = batch_share * batch_inverse * batch_sum - 2 * dvariance / batch.count
        k = k + batch_k
        q = q + (batch_k * batch.offset + (batch_share * shift_sum - dmean / batch.count))

    # dx = slope * dy - k * (x - m) - q, in an order that needs no second new tensor of its size.
    share = instance.distance * (k / slope) + (q - k * instance.deviation) / slope
    if valid is not None:
        share = ops.where(valid, share, 0)
    dx = (dy - share) * slope
    return dx, dgamma, dbeta, drho, *to_statistics
