"""Moving statistics anew from data."""

import itertools
import warnings
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


def recalibrate(
    model: keras.Model,
    data: Any,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    verbose: str | int = "auto",
) -> None:
    """Computes the moving statistics of a model's normalization layers anew from data.

    They are wrong where weights did not come from the last steps of training: after averaging
    weights (SWA, EMA), after rho was set or settled, in another domain, and after a training so
    short that they still remember its start. For each `BatchInstanceNormalization` and
    `keras.layers.BatchNormalization` this sets, per channel,

        moving_mean     = mean of x
        moving_variance = mean of (x - moving_mean)**2

    over all elements `x` that reach the layer: those of all batches, all calls of a shared layer,
    where its mask is True. Batches are combined in float64, each weighted by its number of
    elements.

    The model runs in inference mode, without dropout, but its normalization layers use the
    statistics of each batch, as in training. So old statistics do not matter, even where they
    are NaN; the first layer's result does not depend on how data are split into batches, and
    that of deeper layers nears its limit as batches grow. Batches of 32 do for most models.

    Layers inside others are found at any depth; frozen ones are recalibrated too. Those that the
    model does not call in inference mode keep their statistics, with a warning. A subclass is
    measured at what its `call` passes on to `super().call`. Nothing else changes: weights, rho,
    seeds, metrics, optimizer, `trainable`, `momentum`. On any error the statistics stay as well.

    It takes longer than `predict` and less than an epoch of training, and memory for a copy of the
    model's variables.

    Args:
        model: a built model, compiled or not.
        data: inputs, as `keras.Model.predict` takes them: arrays, or a `tf.data.Dataset`,
            `keras.utils.PyDataset`, `torch.utils.data.DataLoader` or generator of batches.
            Targets and sample weights in batches are ignored.
        batch_size: samples in a batch, for arrays; 32 by default.
        steps: number of batches to use; all by default.
        verbose: as for `predict`: 0 is silent, 1 shows a progress bar.

    Raises:
        TypeError: `model` is not a `keras.Model`.
        ValueError: the model is not built, or has no normalization layer that was built; there is
            no batch, or no element that a mask leaves; a result is not finite; or a layer is
            called in a loop or compiled function inside the model.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras_bin.BatchInstanceNormalization(name="bin")]
    ... )
    >>> images = keras.random.normal((100, 8, 8, 3), mean=5.0, seed=0)
    >>> keras_bin.recalibrate(model, images, verbose=0)
    >>> mean = keras.ops.convert_to_numpy(model.get_layer("bin").moving_mean)
    >>> mean.round(1).tolist()
    [5.0, 5.0, 5.0]

    Source: Wu & Johnson 2021, https://arxiv.org/abs/2105.07576, section 3, which calls this
    PreciseBN.
    """
    layers = _normalization_layers(model)
    statistics = _StatisticsModel(model, layers)
    with restored(model), measured(layers):
        statistics.run(data, batch_size=batch_size, steps=steps, verbose=verbose)
    pools = statistics.pools
    _check_elements(pools)
    values = {layer: _new_values(layer, pool) for layer, pool in pools.items()}
    _check_finite(values)
    for variable, value in itertools.chain(*values.values()):
        variable.assign(value)
    if uncalled := [layer.path for layer in layers if layer not in pools]:
        warnings.warn(
            "These layers keep their moving statistics, as the model did not call them in "
            f"inference mode: {', '.join(uncalled)}",
            stacklevel=2,
        )


def _normalization_layers(model: keras.Model) -> list[keras.layers.Layer]:
    check_model(model)
    found = {
        id(layer): layer
        for layer in all_layers(model)
        if isinstance(layer, NORMALIZATIONS) and layer.built
    }
    if not found:
        raise ValueError(
            "`model` must hold a built BatchInstanceNormalization or BatchNormalization layer; "
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


class _Pool:
    """Mean and biased variance of all elements that were added, float64, by channel."""

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
        pools: a `_Pool` for each layer that was called.
    """

    predict_function: Any

    def __init__(self, model: keras.Model, layers: Sequence[keras.layers.Layer]):
        super().__init__()
        self._model = model
        self._measured_layers = tuple(layers)
        self.pools: dict[keras.layers.Layer, _Pool] = {}
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
                "`data` must hold at least one batch; check its size, and that a generator was "
                f"not used up before. Received: data={data!r}"
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
        """Calls the model; on JAX, `predict` builds layers so that are not built yet."""
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
            pool = self.pools.setdefault(layer, _Pool(layer.moving_mean.shape[0]))
            pool.add(statistics)


def _is_jax() -> bool:
    return bool(keras.backend.backend() == "jax")


def _check_elements(pools: dict[keras.layers.Layer, _Pool]) -> None:
    if not pools:
        raise ValueError(
            "`model` must call a normalization layer in inference mode, and not in a compiled "
            "function of its own; take `tf.function` off its layers. Received: no call"
        )
    if empty := [layer.path for layer, pool in pools.items() if not pool.count.all()]:
        raise ValueError(
            "`data` must hold an element that no mask leaves out, for each layer; check masks. "
            f"Received: none for {', '.join(empty)}"
        )


def _new_values(layer: keras.layers.Layer, pool: _Pool) -> list[tuple[keras.Variable, Any]]:
    """Returns the moving statistics of a layer, each with its new value."""
    values = [(layer.moving_mean, pool.mean), (layer.moving_variance, pool.variance)]
    if getattr(layer, "renorm", False):  # batch renormalization keeps more
        deviation = np.sqrt(pool.variance + layer.epsilon)
        values += [
            (layer.renorm_mean, pool.mean),
            (layer.renorm_stddev, deviation),
            (layer.moving_stddev, deviation),
        ]
    return [(variable, ops.cast(value, variable.dtype)) for variable, value in values]


def _check_finite(values: dict[keras.layers.Layer, list[tuple[keras.Variable, Any]]]) -> None:
    bad = [
        layer.path
        for layer, new in values.items()
        if not all(ops.convert_to_numpy(ops.all(ops.isfinite(value))) for _, value in new)
    ]
    if bad:
        raise ValueError(
            "Moving statistics must be finite; check `data` for NaN, infinity and values that the "
            f"dtype of the layers cannot hold. Received: others in {', '.join(bad)}"
        )
