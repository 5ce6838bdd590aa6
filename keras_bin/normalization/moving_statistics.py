"""Moving statistics: the averages over batches that inference uses."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_bin.normalization.averages import at_least_one
from keras_bin.normalization.replicas import Sum, strategy_sum, sum_together
from keras_bin.traces import current_graph


class _Update(NamedTuple):
    """One update of a layer's moving statistics; see `update_moving_statistics`."""

    moving: Sequence[keras.Variable]
    mean: Any
    variance: Any
    count: Any
    momentum: float


class _Waiting(NamedTuple):
    """Updates that wait for the end of a step, and the graph whose tensors they hold."""

    updates: list[_Update]
    graph: Any


_OWN_STATISTICS = (
    "TensorFlow cannot sum over replicas inside a loop, a condition or a `tf.function` of a step, "
    "so each replica keeps moving statistics of its own. Call the layer outside of these, or call "
    "`keras_bin.recalibrate` after training. Received: {!r}"
)
_waiting: ContextVar[_Waiting | None] = ContextVar("_waiting", default=None)


def update_moving_statistics(
    moving: Sequence[keras.Variable],
    mean: Any,
    variance: Any,
    count: Any,
    momentum: float,
    *,
    same_on_replicas: bool = False,
) -> None:
    """Updates moving statistics by `moving * momentum + batch * (1 - momentum)`.

    If the replicas of a `tf.distribute` strategy have different batch statistics, all of them take
    the average of these, weighted by the numbers of elements, so that moving statistics stay the
    same on all. Inside a loop, a condition or a `tf.function` of a step, TensorFlow cannot sum over
    replicas; then each keeps its own, and a warning says so. Each process of `torch.distributed`
    keeps its own.

    A channel whose new mean or variance would not be finite keeps both. Otherwise they would never
    be finite again, because loss scaling skips steps that overflow, but not these updates. Nothing
    changes, either, if there is no element.

    Args:
        moving: the variables `moving_mean` and `moving_variance`, of shape `(channels,)`.
        mean: mean of the batch, of the same shape, at least float32.
        variance: variance of the batch, likewise.
        count: number of elements behind them, a scalar or of the same shape, of the same dtype.
        momentum: the share of the old statistics, in [0, 1].
        same_on_replicas: whether the statistics are already those of all replicas.
    """
    update = _Update(moving, mean, variance, count, momentum)
    over_replicas = None if same_on_replicas else strategy_sum()
    waiting = _waiting.get()
    if over_replicas is None:
        _carry_out(update)
    elif waiting is not None and waiting.graph is current_graph():
        waiting.updates.append(update)
    else:
        try:
            _carry_out_on_all([update], over_replicas)
        except RuntimeError as error:
            if "merge_call" not in str(error):
                raise
            warnings.warn(_OWN_STATISTICS.format(moving[0].path), stacklevel=2)
            _carry_out(update)


@contextlib.contextmanager
def updates_together() -> Iterator[None]:
    """Carries out all updates of a `with` block at its end, with one sum over the replicas.

    Updates in a graph inside the current one, such as a loop's, are carried out where they are.
    """
    waiting = _Waiting([], current_graph())
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    over_replicas = strategy_sum()
    if waiting.updates and over_replicas is not None:
        _carry_out_on_all(waiting.updates, over_replicas)


def _carry_out_on_all(updates: Sequence[_Update], over_replicas: Sum) -> None:
    """Carries out updates with the averages of batch statistics over the replicas."""
    dtype = keras.backend.result_type(*(update.mean.dtype for update in updates))
    weighted = []
    for update in updates:
        mean, variance, count = (
            ops.cast(each, dtype) for each in (update.mean, update.variance, update.count)
        )
        weighted += [count * mean, count * variance, count]
    sums = iter(sum_together(weighted, over_replicas))
    for update, mean, variance, count in zip(updates, sums, sums, sums, strict=True):
        mean, variance = (
            ops.cast(each / at_least_one(count), update.mean.dtype) for each in (mean, variance)
        )
        _carry_out(update._replace(mean=mean, variance=variance, count=count))


def _carry_out(update: _Update) -> None:
    updated = [
        ops.cast(
            ops.cast(old, new.dtype) * update.momentum + new * (1 - update.momentum), old.dtype
        )
        for old, new in zip(update.moving, (update.mean, update.variance), strict=True)
    ]
    finite = ops.logical_and(*map(ops.isfinite, updated))
    changed = ops.logical_and(finite, update.count > 0)
    for variable, value in zip(update.moving, updated, strict=True):
        variable.assign(ops.where(changed, value, variable.value))
