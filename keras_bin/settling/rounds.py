"""One round of settling: which layers are settled, and what that changes."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.constraint import BATCH
from keras_bin.gates.finding import trainable_rhos
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.settling.evaluation import evaluation
from keras_bin.settling.goal import Goal
from keras_bin.settling.settled import is_at, settle
from keras_bin.settling.worth import evaluated_at, layer_names
from keras_bin.tables import Table, TableList


class SettledLayer(NamedTuple):
    """A BIN layer whose gates were settled.

    Attributes:
        epoch: number of finished epochs at that time.
        layer: path of the layer, with a number if another layer has the same path.
        cost: share of the elements of all BIN layers that reach this one, from 0 to 1.
        mean: mean of its gates before, from 0 to 1.
        change: change in the loss, measured then, if only this layer's gates have that value.
        value: value at which the gates are settled, from 0 to 1.

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
    """A list of the settled layers, in the order in which they were settled."""

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
    """The cost and metrics of a model at one point of its settling.

    Attributes:
        epoch: number of finished epochs.
        cost: share of the elements that reach a layer with a gate below 1, from 0 to 1.
        metrics: what `evaluate` returns, with batch statistics.
    """

    epoch: int
    cost: float
    metrics: dict[str, float]


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
    """Settles at 1 the layers whose instance branch is worth least for its cost.

    In the last round, the others are settled, too, at `goal.keep`. Layers whose rho is frozen are
    left alone.

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

    Raises:
        ValueError: the loss is not finite.
    """
    names = layer_names(model)
    learning = {id(rho) for rho in trainable_rhos(model)}
    layers = [layer for layer in costs if id(layer.rho) in learning]
    means = {layer: float(array(layer.rho).mean()) for layer in layers}
    at_start = cost_left(costs)
    settled: dict[BatchInstanceNormalization, SettledLayer] = {}

    def note(layer: BatchInstanceNormalization, value: float, change: float) -> None:
        layer.rho.assign(np.full(layer.rho.shape, value))
        settled[layer] = SettledLayer(
            epoch, names[layer], costs[layer], means[layer], change, value
        )

    with evaluation(model, data, batch_size) as evaluate:
        before = evaluate()
        _check_finite(before["loss"], model)
        at_one = {
            layer: evaluated_at(evaluate, layer, BATCH)["loss"] - before["loss"] for layer in layers
        }
        for layer in _not_kept(at_one, costs, goal, abs(before["loss"]) or 1.0):
            note(layer, BATCH, at_one[layer])
        if last and goal.keep is not None:
            for layer in [each for each in layers if each not in settled]:
                loss = evaluate()["loss"]
                note(layer, goal.keep, evaluated_at(evaluate, layer, goal.keep)["loss"] - loss)
        after = evaluate()
    for layer, row in settled.items():
        settle(layer, row.value, model.optimizer)
    steps = [Step(epoch, at_start, before), Step(epoch, cost_left(costs), after)]
    return steps, SettledLayers(settled.values())


def cost_left(costs: Costs) -> float:
    """Returns what the layers with a gate below 1 cost, from 0 to 1."""
    return sum((cost for layer, cost in costs.items() if not is_at(layer, BATCH)), 0.0)


def _check_finite(loss: float, model: keras.Model) -> None:
    if not math.isfinite(loss):
        raise ValueError(
            "The loss must be finite to measure what layers are worth; training has diverged, so "
            f"lower the learning rate. Received: loss={loss}, of model {model.name!r}"
        )


def _not_kept(
    changes: Mapping[BatchInstanceNormalization, float], costs: Costs, goal: Goal, scale: float
) -> list[BatchInstanceNormalization]:
    """Returns the layers to settle at 1, those worth least for their cost first."""
    order = sorted(changes, key=lambda layer: changes[layer] / costs[layer])
    cost = 0.0
    kept: set[BatchInstanceNormalization] = set()
    for layer in reversed(order):
        increase = changes[layer] / scale
        # With a little room for rounding in the sum of shares.
        fits = cost + costs[layer] <= goal.max_cost + 1e-9 or (goal.at_least_one and not kept)
        if increase > goal.max_increase or (increase > goal.free_increase and fits):
            kept.add(layer)
            cost += costs[layer]
    return [layer for layer in order if layer not in kept]


def described(steps: list[Step], settled: SettledLayers) -> str:
    """Describes what a round did, in lines of text."""
    before, after = steps
    changes = [
        f"{name} {value:.4g} to {after.metrics[name]:.4g}" for name, value in before.metrics.items()
    ]
    line = (
        f"\nSettleRho, epoch {after.epoch}: cost {100 * before.cost:.1f} % to "
        f"{100 * after.cost:.1f} %; {', '.join(changes)}"
    )
    return f"{line}\n{settled}" if settled else line
