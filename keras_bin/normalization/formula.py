"""The formula of BIN, once, for training, inference and folding.

BIN is an affine map per sample and channel. With the mean `m` and the variance `v` of a sample,
the statistics `M`, `V` of the batch branch, and `e` for epsilon:

    batch_scale    = gamma * rho / sqrt(V + e)
    instance_scale = gamma * (1 - rho)
    y = (x - m) * (batch_scale + instance_scale / sqrt(v + e)) + batch_scale * (m - M) + beta

Training and inference differ only in where `M` and `V` come from. The module
`keras_bin.normalization.moments` describes how the statistics keep their digits.
"""

import math
import numbers
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_bin.normalization.averages import first_element
from keras_bin.normalization.axes import Axes
from keras_bin.normalization.moments import InstanceMoments, instance_moments, moments_about
from keras_bin.normalization.small_tensors import computed_once
from keras_bin.runtimes import ANY, OPENVINO


def check_epsilon(epsilon: Any) -> None:
    """Checks that `epsilon` keeps the square roots away from zero.

    Raises:
        ValueError: it is not a finite number above 0.
    """
    if not (isinstance(epsilon, numbers.Real) and 0 < float(epsilon) < math.inf):
        raise ValueError(
            "`epsilon` must be a finite number above 0, or constant inputs would divide by zero. "
            f"Received: epsilon={epsilon!r}"
        )


def branch_scales(gamma: Any, rho: Any, variance: Any, epsilon: float) -> tuple[Any, Any]:
    """Splits gamma into the factors of the two branches.

    Formula: `batch_scale = gamma * rho / sqrt(variance + epsilon)` and
    `instance_scale = gamma * (1 - rho)`. Only Python operators are used, so that folding
    can run the same lines on float64 NumPy arrays.

    Args:
        gamma: learned factor, one value per channel, or 1.
        rho: gate, one value per channel, in [0, 1].
        variance: variance of the batch branch, one value per channel, never negative.
        epsilon: float above 0.

    Returns:
        `(batch_scale, instance_scale)`.
    """
    return gamma * rho / (variance + epsilon) ** 0.5, gamma * (1 - rho)


def blend(
    instance: InstanceMoments,
    *,
    mean_difference: Any,
    batch_scale: Any,
    instance_scale: Any,
    beta: Any,
    epsilon: float,
) -> Any:
    """Applies the affine map of BIN.

    Args:
        instance: the statistics of the samples, and the input itself.
        mean_difference: each sample's mean minus the mean of the batch branch.
        batch_scale: first result of `branch_scales`.
        instance_scale: second result of `branch_scales`.
        beta: learned offset, one value per channel, or 0.
        epsilon: float above 0.

    Returns:
        The normalized tensor, with the shape of the input.

    Source: Nam & Kim 2018, section 3, with the terms of the formula in another order.
    """
    slope = batch_scale + instance_scale * ops.rsqrt(instance.variance + epsilon)
    intercept = batch_scale * mean_difference + beta - instance.shifted_mean * slope
    return affine(instance.shifted, *computed_once(slope, intercept))


def affine(x: Any, slope: Any, intercept: Any) -> Any:
    """Returns `x * slope + intercept`."""
    if keras.backend.backend() != "torch":
        return x * slope + intercept
    import torch

    return torch.addcmul(intercept, x, slope)  # one kernel instead of two


def apply_constants(
    x: Any,
    constants: Sequence[Any],
    axes: Axes,
    epsilon: float,
    mask: Any | None = None,
    runtime: str = ANY,
) -> Any:
    """Computes a layer at inference, where everything but the sample's statistics is constant.

        y = (x - m) * (scale + instance_scale / sqrt(v + epsilon)) + scale * (m - mean) + offset

    Args:
        x: float tensor, at least float32.
        constants: the weights `(scale, offset, instance_scale, mean)` of a
            `FoldedBatchInstanceNormalization`, each of shape `(channels,)`. None stands for a
            `scale` of 0, an `instance_scale` of 0 or a `mean` of 0.
        axes: the `keras_bin.normalization.axes.Axes` of `x`.
        epsilon: float above 0, added to the variance of a sample.
        mask: boolean tensor with one axis fewer than `x`, or None.
        runtime: which of `keras_bin.runtimes.RUNTIMES` the operators are chosen for.
    """
    scale, offset, instance_scale, mean = (
        None if values is None else axes.per_channel(values, x.dtype) for values in constants
    )
    if instance_scale is None:
        return x * scale + offset
    if mask is None and runtime == OPENVINO:
        return _normalize_first(x, scale, offset, instance_scale, mean, axes, epsilon)
    if mask is None:
        instance = moments_about(x, first_element(x, axes.spatial), axes.spatial)
    else:
        instance = instance_moments(x, axes.spatial, axes.valid(mask, x))
    return blend(
        instance,
        mean_difference=instance.mean_minus(0 if mean is None else mean),
        batch_scale=0 if scale is None else scale,
        instance_scale=instance_scale,
        beta=offset,
        epsilon=epsilon,
    )


def _normalize_first(
    x: Any,
    scale: Any | None,
    offset: Any,
    instance_scale: Any,
    mean: Any | None,
    axes: Axes,
    epsilon: float,
) -> Any:
    """Computes the same in an order that OpenVINO recognizes and fuses into one operator (MVN)."""
    if mean is not None:
        x = x - mean
    centered = x - ops.mean(x, axes.spatial, keepdims=True)
    variance = ops.mean(ops.square(centered), axes.spatial, keepdims=True)
    y = centered / ops.sqrt(variance + epsilon) * instance_scale + offset
    return y if scale is None else y + x * scale
