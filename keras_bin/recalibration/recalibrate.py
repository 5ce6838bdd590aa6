"""Recomputing moving statistics from data."""

import itertools
import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_bin.recalibration.pooled_statistics import (
    Pool,
    normalization_layers,
    pooled_statistics,
)


def recalibrate(
    model: keras.Model,
    data: Any,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    verbose: str | int = "auto",
) -> None:
    """Recomputes the moving statistics of a model's normalization layers from data.

    Moving statistics are wrong if the weights do not come from the last steps of training: after
    averaging weights (SWA, EMA), and after rho was set or settled. They are also wrong in another
    domain, and after training so short that they still reflect its start. For each
    `BatchInstanceNormalization` and `keras.layers.BatchNormalization`, this sets, per channel,

        moving_mean     = mean of x
        moving_variance = mean of (x - moving_mean)**2

    over all elements `x` that reach the layer: in all batches, in all calls of a shared layer, and
    only where its mask is True. Batches are combined in float64, each weighted by its number of
    elements.

    The model runs in inference mode, without dropout, but its normalization layers use the
    statistics of each batch, as in training. The old statistics do not matter, even if they are
    NaN. The first layer's result does not depend on how the data are split into batches; that of
    deeper layers approaches its limit as batches grow. Batches of 32 are enough for most models.

    Layers are found at any depth; frozen ones are recalibrated, too. Layers that the model does not
    call in inference mode keep their statistics, with a warning. For a subclass, the inputs are
    those that its `call` passes to `super().call`. Nothing else changes: not the weights, rho,
    seeds, metrics, optimizer, `trainable` or `momentum`. If an error is raised, the statistics do
    not change, either.

    It takes longer than `predict`, but less than an epoch of training, and memory for a copy of the
    model's variables.

    Args:
        model: a built model, compiled or not.
        data: inputs, as for `keras.Model.predict`: arrays, or a `tf.data.Dataset`,
            `keras.utils.PyDataset`, `torch.utils.data.DataLoader` or generator of batches.
            Targets and sample weights in batches are ignored.
        batch_size: samples per batch, for arrays; 32 by default.
        steps: number of batches to use; all by default.
        verbose: as for `predict`: 0 is silent, 1 shows a progress bar.

    Raises:
        TypeError: `model` is not a `keras.Model`.
        ValueError: the model is not built or has no built normalization layer; there is no batch,
            or masks exclude every element; a result is not finite; or a layer is called in a loop
            or compiled function inside the model.

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
    layers = normalization_layers(model)
    pools = pooled_statistics(
        model, layers, data, batch_size=batch_size, steps=steps, verbose=verbose
    )
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


def _check_elements(pools: dict[keras.layers.Layer, Pool]) -> None:
    if not pools:
        raise ValueError(
            "`model` must call a normalization layer in inference mode, and not in its own "
            "compiled function; remove `tf.function` from its layers. Received: no call"
        )
    if empty := [layer.path for layer, pool in pools.items() if not pool.count.all()]:
        raise ValueError(
            "`data` must contain an element that no mask excludes, for each layer; check masks. "
            f"Received: none for {', '.join(empty)}"
        )


def _new_values(layer: keras.layers.Layer, pool: Pool) -> list[tuple[keras.Variable, Any]]:
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
            f"dtype of the layers cannot hold. Received: non-finite values in {', '.join(bad)}"
        )
