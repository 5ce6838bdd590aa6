"""What the instance branch of each layer is worth, and what it costs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.constraint import BATCH, INSTANCE
from keras_bin.gates.finding import bin_layers, named_gates
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.recalibration.pooled_statistics import pooled_statistics
from keras_bin.settling.checks import check_compiled, check_data
from keras_bin.settling.evaluation import Evaluate, evaluation, inputs_of
from keras_bin.tables import Table, TableList


class RhoWorth(NamedTuple):
    """What the branches of one BIN layer are worth, and what its statistics cost to serve.

    Attributes:
        layer: path of the layer, with a number if another layer has the same path.
        channels: number of its channels, one gate each.
        mean: mean of its gates, from 0 (instance normalization) to 1 (batch normalization).
        cost: share of the elements of all BIN layers that reach this one, from 0 to 1. A layer with
            a gate below 1 reads them for the statistics of each sample when it is served.
        without_instance: change in the metric if all gates of this layer were 1.
        without_batch: change in the metric if all gates of this layer were 0.

    Example:
    >>> import keras_bin
    >>> keras_bin.RhoWorth("bin", 16, 0.4, 0.08, 0.25, 0.003).without_instance
    0.25
    """

    layer: str
    channels: int
    mean: float
    cost: float
    without_instance: float
    without_batch: float


class RhoWorths(TableList[RhoWorth]):
    """A list with a `RhoWorth` for each BIN layer, from input to output.

    Attributes:
        metric: name of the metric whose changes are listed.
        value: the metric of the model as it is.
    """

    def __init__(self, rows: Sequence[RhoWorth], metric: str, value: float):
        super().__init__(rows)
        self.metric = metric
        self.value = value

    def table(self) -> Table:
        """Returns the table."""
        columns = ("layer", "channels", "mean rho", "cost", "at rho = 1", "at rho = 0")
        return Table(
            f"{self.metric} {self.value:.4g}; its change with the gates of one layer at an end",
            {name: name != "layer" for name in columns},
            [
                (
                    row.layer,
                    str(row.channels),
                    f"{row.mean:.3f}",
                    f"{100 * row.cost:.1f} %",
                    f"{row.without_instance:+.4f}",
                    f"{row.without_batch:+.4f}",
                )
                for row in self
            ],
        )


def rho_worth(
    model: keras.Model, data: Any, *, metric: str = "loss", batch_size: int | None = None
) -> RhoWorths:
    """Measures what each branch of each BIN layer is worth, without changing the model.

    The model is evaluated with the gates of one layer at 1 (batch normalization), then at 0
    (instance normalization), then with those of the next layer, and so on. It runs in inference
    mode, but normalization layers use the statistics of each batch, as in training: their moving
    statistics would not match the changed outputs of earlier layers. The loss includes weight
    penalties.

    The cost of a layer is the number of elements of a sample that reach it, as a share of those of
    all BIN layers. A layer with all gates at 1 costs next to nothing to serve: the convolution
    before it absorbs it, or it remains as a multiply-add.

    It takes as long as `2 * layers + 1` evaluations.

    Args:
        model: a compiled model with BIN layers that are built.
        data: `(x, y)` or `(x, y, sample_weight)`, or batches of these as a `tf.data.Dataset`,
            `keras.utils.PyDataset` or `torch.utils.data.DataLoader`; a few hundred samples.
        metric: name of a metric that `model.evaluate` returns.
        batch_size: samples per batch, for arrays; 32 by default.

    Returns:
        A list with a `RhoWorth` for each BIN layer that the model calls, from input to output. It
        prints, and displays in a notebook, as a table.

    Raises:
        TypeError: `model` is not a `keras.Model`, or `data` is a generator, which can be read only
            once, has no targets, or never ends.
        ValueError: the model is not compiled, has no built BIN layer, or calls one in a loop or
            compiled function inside the model; or it has no such metric.

    Example:
    >>> import keras, keras_bin
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras_bin.BatchInstanceNormalization(rho_initializer=0.5, name="bin")(inputs)
    >>> outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    >>> model = keras_bin.BINModel(inputs, outputs)
    >>> model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> images, labels = keras.random.normal((64, 8, 8, 3), seed=0), [0, 1] * 32
    >>> (worth,) = keras_bin.rho_worth(model, (images, keras.ops.array(labels)))
    >>> worth.layer, worth.channels, worth.mean, worth.cost
    ('bin', 3, 0.5, 1.0)
    """
    check_compiled(model)
    check_data(data)
    costs = serving_costs(model, data, batch_size)
    names = layer_names(model)
    rows = []
    with evaluation(model, data, batch_size) as evaluate:
        value = _metric(evaluate(), metric)
        for layer, cost in costs.items():
            rho = array(layer.rho)
            changes = [
                _metric(evaluated_at(evaluate, layer, end), metric) - value
                for end in (BATCH, INSTANCE)
            ]
            rows.append(RhoWorth(names[layer], rho.size, float(rho.mean()), cost, *changes))
    return RhoWorths(rows, metric, value)


def serving_costs(
    model: keras.Model, data: Any, batch_size: int | None = None
) -> dict[BatchInstanceNormalization, float]:
    """Returns each called BIN layer's share of the elements of all of them, in order."""
    layers = [layer for layer in bin_layers(model) if layer.built]
    if not layers:
        raise ValueError(
            "`model` must contain at least one built BatchInstanceNormalization layer; build it "
            f"first, or check that it is the BIN model. Received: model={model.name!r}"
        )
    pools = pooled_statistics(
        model, layers, inputs_of(data), batch_size=batch_size, steps=1, verbose=0
    )
    counts = {layer: float(pools[layer].count.sum()) for layer in layers if layer in pools}
    elements = {layer: count for layer, count in counts.items() if count}
    if not elements:
        raise ValueError(
            "`model` must call a BIN layer in inference mode, on elements that no mask excludes; "
            "check the masks, and that the layers are part of what it computes. "
            f"Received: model={model.name!r}, which calls none"
        )
    total = sum(elements.values())
    return {layer: count / total for layer, count in elements.items()}


def layer_names(model: keras.Model) -> dict[BatchInstanceNormalization, str]:
    """Returns the name of each built BIN layer, as in `keras_bin.rho_summary`."""
    layers = [layer for layer in bin_layers(model) if layer.rho is not None]
    return dict(zip(layers, named_gates(model), strict=True))


def evaluated_at(
    evaluate: Evaluate, layer: BatchInstanceNormalization, end: float
) -> dict[str, float]:
    """Evaluates with the gates of a layer at one value, and restores them."""
    rho = array(layer.rho)
    layer.rho.assign(np.full_like(rho, end))
    try:
        return evaluate()
    finally:
        layer.rho.assign(rho)


def _metric(results: dict[str, float], metric: str) -> float:
    if metric not in results:
        raise ValueError(
            "`metric` must be one that `evaluate` returns; compile the model with it, or choose "
            f"another. Received: metric={metric!r}, with {sorted(results)}"
        )
    return results[metric]
