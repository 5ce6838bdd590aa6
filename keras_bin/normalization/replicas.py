"""Sums over the replicas that train a model together, each on its own part of the batch.

On TensorFlow, they are those of a `tf.distribute` strategy, on PyTorch the processes of
`torch.distributed`. On JAX there are none: an array that is divided among devices is one array, so
its statistics are those of the whole batch anyway.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Sum = Callable[[Any], Any]


def replica_sum() -> Sum | None:
    """Returns a function that sums a tensor over the replicas of the current step.

    Every replica must call it, with tensors of the same shapes. It can be differentiated any number
    of times: the gradient of a sum is the sum of the gradients.

    Returns:
        The function; None if there is one replica, or where the step is not taken by replicas.
    """
    return _process_sum() if keras.backend.backend() == "torch" else strategy_sum()


def strategy_sum() -> Sum | None:
    """Returns the same for the replicas of a `tf.distribute` strategy only."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return None
    return lambda values: replica.all_reduce(tf.distribute.ReduceOp.SUM, values)


def sum_together(values: Sequence[Any], replica_sum: Sum) -> list[Any]:
    """Sums several tensors of one dtype over replicas, in one collective.

    Args:
        values: tensors of known shapes, the same shapes on each replica.
        replica_sum: sums a tensor over the replicas.
    """
    shapes = [tuple(each.shape) for each in values]
    ends = itertools.accumulate(map(math.prod, shapes), initial=0)
    total = replica_sum(ops.concatenate([ops.reshape(each, (-1,)) for each in values]))
    # Not `ops.split`, which in PyTorch reads a tensor, and tensors without values have none.
    parts = [total[start:end] for start, end in itertools.pairwise(ends)]
    return [ops.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


def _process_sum() -> Sum | None:
    from torch import distributed

    started = distributed.is_available() and distributed.is_initialized()
    return _sum_over_processes() if started and distributed.get_world_size() > 1 else None


@functools.cache
def _sum_over_processes() -> Sum:
    import torch

    class SumOverProcesses(torch.autograd.Function):
        @staticmethod
        def forward(_context: Any, values: Any) -> Any:
            total = values.clone(memory_format=torch.contiguous_format)
            torch.distributed.all_reduce(total)
            return total

        @staticmethod
        def backward(_context: Any, *upstream: Any) -> Any:
            return SumOverProcesses.apply(*upstream)

    apply: Sum = SumOverProcesses.apply
    return apply
