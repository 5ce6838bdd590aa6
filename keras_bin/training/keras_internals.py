"""Private methods of Keras's trainers that `BINModel` overrides.

Checked on Keras 3.9.2 and 3.15.1. Review this file together with `keras_bin.keras_internals`, which
has the private names that keras_bin only uses.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

_Model: Any = keras.Model if TYPE_CHECKING else object


class DistributedTraining(_Model):
    """Lets a model's `fit` and `evaluate` run under every synchronous `tf.distribute` strategy.

    To learn shapes, Keras 3.15 averages the first batch over the replicas. That raises if it does
    not divide evenly, and always under `tf.distribute.MultiWorkerMirroredStrategy`. Under the
    latter, Keras also averages logs, which are scalars, along their first axis. This class can go
    when Keras does neither; see https://github.com/keras-team/keras/issues/20585.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds what is not built yet, from the part of the first batch that one replica gets."""
        strategy = self.distribute_strategy
        if iterator is None or strategy.num_replicas_in_sync == 1:
            super()._maybe_symbolic_build(iterator, data_batch)
            return
        for *_, batches in iterator:  # after one number before Keras 3.11, two since
            for batch in batches:
                part = keras.tree.map_structure(
                    lambda values: strategy.experimental_local_results(values)[0], batch
                )
                super()._maybe_symbolic_build(data_batch=part)
                break
            break

    def _make_function(self, step_function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Compiles the step of `fit` or `evaluate`."""
        if _on_many_machines(self):
            step_function = _with_log_axis(step_function)
        return super()._make_function(step_function, *args, **kwargs)


def _with_log_axis(step_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Gives every log of a step the axis along which Keras averages it over workers."""

    def step(data: Any) -> Any:
        return keras.tree.map_structure(
            lambda value: keras.ops.expand_dims(value, 0), step_function(data)
        )

    return step


def _on_many_machines(model: keras.Model) -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    strategy = model.distribute_strategy
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and bool(
        strategy.cluster_resolver.cluster_spec()
    )
