"""The statistics of all batches that reach the normalization layers of a model."""

from collections.abc import Container, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_bin.keras_internals import all_layers
from keras_bin.networks.graph import check_model
from keras_bin.networks.normalizations import NORMALIZATIONS
from keras_bin.networks.state import restored
from keras_bin.recalibration.batch_statistics import (
    NOT_READABLE,
    Statistics,
    measured,
    record,
)


def normalization_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the built normalization layers of a model, whose statistics can be read.

    Raises:
        TypeError: `model` is not a `keras.Model`.
        ValueError: the model is not built, has no such layer, or has one in a loop.
    """
    check_model(model)
    found = {
        id(layer): layer
        for layer in all_layers(model)
        if isinstance(layer, NORMALIZATIONS) and layer.built
    }
    if not found:
        raise ValueError(
            "`model` must contain a built BatchInstanceNormalization or BatchNormalization layer; "
            "check that it is the model that was trained. "
            f"Received: model={model.name!r}, with none"
        )
    if looped := _in_loops(model, found):
        raise ValueError(f"{NOT_READABLE} Received: layer={looped[0].path!r}")
    return list(found.values())


def _in_loops(model: keras.Model, normalizations: Container[int]) -> list[keras.layers.Layer]:
    """Returns the normalization layers in cells of RNN layers that loop over steps."""
    return [
        layer
        for rnn in all_layers(model)
        if isinstance(rnn, keras.layers.RNN) and not rnn.unroll
        for layer in all_layers(rnn)
        if id(layer) in normalizations
    ]


def pooled_statistics(
    model: keras.Model, layers: Sequence[keras.layers.Layer], data: Any, **options: Any
) -> "dict[keras.layers.Layer, Pool]":
    """Runs a model on data; returns a `Pool` for each of the layers that it called.

    The layers normalize with the statistics of each batch. The model does not change.

    Args:
        model: the model.
        layers: what `normalization_layers` returns, or some of them.
        data: as for `keras.Model.predict`.
        **options: arguments of `predict`.
    """
    statistics = _StatisticsModel(model, layers)
    with restored(model), measured(layers):
        statistics.run(data, **options)
    return statistics.pools


class Pool:
    """Mean and biased variance of all elements that were added, float64, per channel."""

    def __init__(self, channels: int):
        self.count, self.mean, self.variance = np.zeros((3, channels))

    def add(self, statistics: Statistics) -> None:
        """Adds the elements behind statistics, by the law of total variance."""
        old = (self.mean, self.variance, self.count)
        means, variances, counts = (
            np.vstack([first, ops.convert_to_numpy(others)])
            for first, others in zip(old, statistics, strict=True)
        )
        self.count = counts.sum(0)
        shares = counts / np.maximum(self.count, 1)
        self.mean = (shares * means).sum(0)
        self.variance = (shares * (variances + (means - self.mean) ** 2)).sum(0)


class _StatisticsModel(keras.Model):
    """Predicts with another model, and pools the statistics of its layers.

    Attributes:
        pools: a `Pool` for each layer that was called.
    """

    predict_function: Any

    def __init__(self, model: keras.Model, layers: Sequence[keras.layers.Layer]):
        super().__init__()
        self._model = model
        self._measured_layers = tuple(layers)
        self.pools: dict[keras.layers.Layer, Pool] = {}
        self.run_eagerly = model.run_eagerly
        # PyTorch would take longer to compile than one pass takes.
        self.jit_compile = model.jit_compile and keras.backend.backend() != "torch"
        self.built = True

    def run(self, data: Any, **options: Any) -> None:
        """Adds the statistics of all batches to the pools."""
        self._batches = 0
        try:
            self.predict(data, **options)
        except UnboundLocalError:  # what `predict` raises without a batch
            if self._batches:
                raise
        except Exception as error:
            if type(error).__name__ != "UnexpectedTracerError":  # JAX's
                raise
            raise ValueError(f"{NOT_READABLE} Received: model={self._model.name!r}") from error
        if not self._batches:
            raise ValueError(
                "`data` must contain at least one batch; check its size, and that a generator was "
                f"not already exhausted. Received: data={data!r}"
            )

    # In the model's own order, in which JAX passes their values to its predict step.

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Those of the model."""
        return self._model.trainable_variables

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """Those of the model."""
        return self._model.non_trainable_variables

    def call(self, inputs: Any) -> Any:
        """Calls the model; on JAX, `predict` builds layers in this way if they are not built."""
        return self._model(inputs)

    def predict_step(self, *arguments: Any) -> Any:
        """Returns statistics by the layers' positions; on JAX, with the model's state."""
        returned, statistics = record(
            self._measured_layers, lambda: self._model.predict_step(*arguments)
        )
        called = {str(i): each for i, each in enumerate(statistics) if each is not None}
        return (called, returned[1]) if _is_jax() else called

    def make_predict_function(self, force: bool = False) -> None:
        """Makes a function that pools what a step returns, so that `predict` keeps nothing."""
        super().make_predict_function(force=True)
        step = self.predict_function

        def pooling_step(*arguments: Any) -> Any:
            returned = step(*arguments)
            self._pool(returned[0] if _is_jax() else returned)
            nothing = ops.zeros((0,))
            return (nothing, returned[1]) if _is_jax() else nothing

        self.predict_function = pooling_step

    def _pool(self, called: dict[str, Statistics]) -> None:
        self._batches += 1
        for position, statistics in called.items():
            layer = self._measured_layers[int(position)]
            pool = self.pools.setdefault(layer, Pool(layer.moving_mean.shape[0]))
            pool.add(statistics)


def _is_jax() -> bool:
    return bool(keras.backend.backend() == "jax")
