"""One round of settling: which layers go to an end, and what that does."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.constraint import BATCH
from keras_bin.gates.finding import is_settled
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.settling.evaluation import evaluation
from keras_bin.settling.settled import common_rho, settle
from keras_bin.settling.worth import evaluated_at, layer_names
from keras_bin.tables import Table, TableList


class SettledLayer(NamedTuple):
    """A BIN layer whose gates were settled.

    Attributes:
        epoch: number of epochs that were finished then.
        layer: path of the layer, with a number where another layer has the same path.
        cost: share of the elements of all BIN layers that reach this one, from 0 to 1.
        mean: mean of its gates before, from 0 to 1.
        change: change of the loss with the gates of this layer alone at that value.
        value: where they are settled, from 0 to 1.

    Example:
    >>> import keras_bin
    >>> row = keras_bin.SettledLayer(2, "bin", cost=0.08, mean=0.4, change=0.01, value=1.0)
    >>> row.epoch, row.value
    (2, 1.0)
    """

    epoch: int
    layer: str
    cost: float
    mean: float
    change: float
    value: float


class SettledLayers(TableList[SettledLayer]):
    """A list of the layers that were settled, in the order in which they were."""

    def table(self) -> Table:
        """Returns the table."""
        columns = ("epoch", "layer", "cost", "mean rho", "change of the loss", "settled at")
        return Table(
            "Layers whose gates were settled",
            {name: name != "layer" for name in columns},
            [
                (
                    str(row.epoch),
                    row.layer,
                    f"{100 * row.cost:.1f} %",
                    f"{row.mean:.3f}",
                    f"{row.change:+.4f}",
                    f"{row.value:g}",
                )
                for row in self
            ],
        )


class Step(NamedTuple):
    """What a model is and costs at one time of its settling.

    Attributes:
        epoch: number of finished epochs.
        cost: share of the elements that reach a layer with a gate below 1, from 0 to 1.
        metrics: what `evaluate` returns, with the statistics of batches.
    """

    epoch: int
    cost: float
    metrics: dict[str, float]


class Goal(NamedTuple):
    """How far layers are settled.

    Attributes:
        max_cost: until the layers with a gate below 1 cost no more than this, from 0 to 1.
        max_increase: never a layer that alone raises the loss by more than this share of it.
        free_increase: in any case a layer that raises it by no more than this share.
        keep: where the gates of the layers that stay are settled in the last round, from 0 to 1,
            or None if they learn on.
    """

    max_cost: float
    max_increase: float
    free_increase: float
    keep: float | None


Costs = Mapping[BatchInstanceNormalization, float]


def settle_layers(
    model: keras.Model,
    data: Any,
    costs: Costs,
    goal: Goal,
    *,
    epoch: int,
    last: bool,
    batch_size: int | None,
) -> tuple[list[Step], SettledLayers]:
    """Settles the layers at 1 whose instance branch is worth least for what it costs.

    In the last round, those that stay are settled, too, at `goal.keep`.

    Args:
        model: a compiled model; the gates of some of its layers change.
        data: see `evaluation`.
        costs: what `serving_costs` returns.
        goal: how far to go.
        epoch: number of finished epochs.
        last: whether no round follows.
        batch_size: see `evaluation`.

    Returns:
        The state before and after, and the layers that were settled.
    """
    names = layer_names(model)
    mixed = [layer for layer in costs if common_rho(layer) != BATCH]
    open_layers = [layer for layer in mixed if not is_settled(layer)]
    means = {layer: float(array(layer.rho).mean()) for layer in open_layers}
    settled: dict[BatchInstanceNormalization, SettledLayer] = {}

    def note(layer: BatchInstanceNormalization, value: float, change: float) -> None:
        layer.rho.assign(np.full(layer.rho.shape, value))
        settled[layer] = SettledLayer(
            epoch, names[layer], costs[layer], means[layer], change, value
        )

    with evaluation(model, data, batch_size) as evaluate:

        def change(layer: BatchInstanceNormalization, value: float, loss: float) -> float:
            return evaluated_at(evaluate, layer, value)["loss"] - loss

        before = evaluate()
        loss = before["loss"]
        scale = abs(loss) or 1.0
        at_one = {layer: change(layer, BATCH, loss) for layer in open_layers}
        left = sum(costs[layer] for layer in mixed)
        for layer in _chosen(at_one, costs, left, goal, scale):
            note(layer, BATCH, at_one[layer])
        if last and goal.keep is not None:
            for layer in [each for each in open_layers if each not in settled]:
                note(layer, goal.keep, change(layer, goal.keep, evaluate()["loss"]))
        after = evaluate()
    for layer, row in settled.items():
        settle(layer, row.value, model.optimizer)
    saved = sum(row.cost for row in settled.values() if row.value == BATCH)
    return [Step(epoch, left, before), Step(epoch, left - saved, after)], SettledLayers(
        settled.values()
    )


def _chosen(
    changes: Mapping[BatchInstanceNormalization, float],
    costs: Costs,
    cost: float,
    goal: Goal,
    scale: float,
) -> list[BatchInstanceNormalization]:
    """Returns what to settle at 1: first what is worth least for what it costs."""
    chosen = []
    for layer in sorted(changes, key=lambda layer: changes[layer] / costs[layer]):
        increase = changes[layer] / scale
        wanted = cost > goal.max_cost or increase <= goal.free_increase
        if wanted and increase <= goal.max_increase:
            chosen.append(layer)
            cost -= costs[layer]
    return chosen


def described(steps: list[Step], settled: SettledLayers) -> str:
    """Says in lines what a round did."""
    before, after = steps
    changes = [
        f"{name} {value:.4g} to {after.metrics[name]:.4g}" for name, value in before.metrics.items()
    ]
    line = (
        f"\nSettleRho, epoch {after.epoch}: cost {100 * before.cost:.1f} % to "
        f"{100 * after.cost:.1f} %; {', '.join(changes)}"
    )
    return f"{line}\n{settled}" if settled else line
