"""The constants that a BIN layer becomes at inference, in float64."""

from typing import Any, NamedTuple

import numpy as np

from keras_bin.normalization.formula import branch_scales

from ..results.layer_report import AFFINE, INSTANCE, MIXED


class Constants(NamedTuple):
    """Weights of a `FoldedBatchInstanceNormalization`, in its order.

    Attributes:
        scale: shape `(channels,)`, factor of the input, or None if every rho is 0.
        offset: shape `(channels,)`.
        instance_scale: shape `(channels,)`, factor of the instance branch, or None if
            every rho is 1.
        mean: shape `(channels,)`, in input units, or None if every rho is 1 or the layer before
            subtracts it.
    """

    scale: np.ndarray | None
    offset: np.ndarray
    instance_scale: np.ndarray | None = None
    mean: np.ndarray | None = None

    @property
    def affine(self) -> bool:
        """Whether the layer is an affine map, with no instance branch."""
        return self.instance_scale is None

    @property
    def form(self) -> str:
        """What the layer becomes, in the words of `LayerFold.became`."""
        if self.affine:
            return AFFINE
        return INSTANCE if self.scale is None else MIXED

    def split(self) -> tuple[np.ndarray, np.ndarray, "Constants"]:
        """Splits the layer into an affine map, which the layer before can absorb, and the rest.

        Channels without an instance branch are affine maps and are absorbed completely. In the
        others, the layer before absorbs the mean into its bias.

        Returns:
            `(scale, offset, rest)`: the layer before computes `scale * x + offset` instead of
            `x`, and `rest` has the constants of a layer that reads the result.
        """
        scale: Any = self.scale
        mean: Any = self.mean
        if self.affine:
            return scale, self.offset, self
        if scale is None:
            return np.ones_like(mean), -mean, self._replace(mean=None)
        affine = self.instance_scale == 0
        rest = self._replace(
            scale=np.where(affine, 1, scale),
            offset=np.where(affine, 0, self.offset),
            mean=None,
        )
        absorbed = np.where(affine, scale, 1)
        return absorbed, np.where(affine, self.offset, 0) - absorbed * mean, rest


def bin_constants(
    gamma: np.ndarray,
    beta: np.ndarray,
    rho: np.ndarray,
    moving_mean: np.ndarray,
    moving_variance: np.ndarray,
    epsilon: float,
) -> Constants:
    """Computes constants from running statistics, rho, gamma and beta, in float64.

    With `scale = gamma * rho / sqrt(moving_variance + epsilon)` and
    `instance_scale = gamma * (1 - rho)`, the layer is
    `y = (x - m) * (scale + instance_scale / sqrt(v + epsilon)) + scale * (m - mean) + offset`,
    where `m` and `v` are the mean and variance of the sample. If every rho is 1, this is
    `y = x * scale + (beta - scale * moving_mean)`; if every rho is 0, there is no `scale`.

    Args:
        gamma: shape `(channels,)`.
        beta: shape `(channels,)`.
        rho: shape `(channels,)`; clipped to [0, 1] here.
        moving_mean: shape `(channels,)`, in input units.
        moving_variance: shape `(channels,)`, biased, input units squared, never negative.
        epsilon: the value the layer was trained with, above 0.

    Returns:
        The constants, float64 arrays.

    Raises:
        ValueError: a weight is not finite, or a variance is negative.

    Source: Nam & Kim 2018, section 3, with the statistics of the batch branch fixed.
    """
    weights = {
        "gamma": gamma,
        "beta": beta,
        "rho": rho,
        "moving_mean": moving_mean,
        "moving_variance": moving_variance,
    }
    for name, weight in weights.items():
        if not np.all(np.isfinite(weight)):
            raise ValueError(
                f"`{name}` must be finite to be folded; training has diverged, or something else "
                f"has set it, so load an earlier state. Received: {name}={weight}"
            )
    if np.any(np.less(moving_variance, 0)):
        raise ValueError(
            "`moving_variance` must not be negative; set it to what training produced. "
            f"Received: moving_variance={moving_variance}"
        )
    gamma, beta, rho, mean, variance = (np.asarray(w, "float64") for w in weights.values())
    rho = np.clip(rho, 0, 1)
    scale, instance_scale = branch_scales(gamma, rho, variance, epsilon)
    if np.all(instance_scale == 0):  # also where gamma is 0 and rho below 1
        return Constants(scale, beta - scale * mean)
    if np.all(rho == 0):
        return Constants(None, beta, instance_scale, mean)
    return Constants(scale, beta, instance_scale, mean)
