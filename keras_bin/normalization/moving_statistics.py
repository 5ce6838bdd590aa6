"""Moving statistics: the averages over batches that inference uses."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def update_moving_statistics(
    moving: Sequence[keras.Variable], batch: Sequence[Any], momentum: float
) -> None:
    """Updates moving statistics by `moving * momentum + batch * (1 - momentum)`.

    A channel whose new mean or variance would not be finite keeps both. Otherwise they would never
    be finite again, because loss scaling skips steps that overflow, but not these updates.

    Args:
        moving: the variables `moving_mean` and `moving_variance`, of shape `(channels,)`.
        batch: mean and variance of the batch, of the same shape, at least float32.
        momentum: the share of the old statistics, in [0, 1].
    """
    updated = [
        ops.cast(ops.cast(old, new.dtype) * momentum + new * (1 - momentum), old.dtype)
        for old, new in zip(moving, batch, strict=True)
    ]
    finite = ops.logical_and(*map(ops.isfinite, updated))
    for variable, value in zip(moving, updated, strict=True):
        variable.assign(ops.where(finite, value, variable.value))
