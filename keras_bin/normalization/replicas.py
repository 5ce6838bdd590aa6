"""Sums over the replicas of a distributed step."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


def replica_sum() -> Callable[[Any], Any] | None:
    """Returns a function that sums a tensor over the replicas of the current step.

    Returns:
        The function; None if there is one replica, or where the step is not taken by replicas.
    """
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return None
    return lambda values: replica.all_reduce(tf.distribute.ReduceOp.SUM, values)


def sum_together(values: Sequence[Any], replica_sum: Callable[[Any], Any]) -> list[Any]:
    """Sums several tensors of one dtype over replicas, in one collective.

    Args:
        values: tensors of known shapes, the same shapes on each replica.
        replica_sum: sums a tensor over the replicas.
    """
    shapes = [tuple(each.shape) for each in values]
    ends = list(itertools.accumulate(map(math.prod, shapes)))
    total = replica_sum(ops.concatenate([ops.reshape(each, (-1,)) for each in values]))
    parts = ops.split(total, ends[:-1])
    return [ops.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
