"""The replicas of a `tf.distribute` strategy."""

from typing import Any


def replica_sum(values: Any) -> Any:
    """Sums `values` over the replicas of the current `tf.distribute` strategy."""
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None:
        return values
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, values)
