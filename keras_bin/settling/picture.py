"""A plot of what settling saves and costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_bin.gates.picture import new_picture
from keras_bin.settling.rounds import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_steps(steps: Sequence[Step], metric: str) -> "Figure":
    """Plots a metric over the serving cost; see `keras_bin.SettleRho.plot`."""
    if not steps:
        raise ValueError(
            "A round of settling must have finished in this process to be plotted; train past "
            "`start`. Received: no round"
        )
    if metric not in steps[0].metrics:
        raise ValueError(
            "`metric` must be one that `evaluate` returns; compile the model with it, or choose "
            f"another. Received: metric={metric!r}, with {sorted(steps[0].metrics)}"
        )
    figure = new_picture("SettleRho.plot")
    figure.set_layout_engine("constrained")
    figure.set_size_inches(6.4, 4.2)
    plot = figure.add_subplot()
    costs = [100 * step.cost for step in steps]
    plot.plot(costs, [step.metrics[metric] for step in steps], color="0.6", zorder=1)
    for moment, marker in ((0, "o"), (1, "s")):
        chosen = steps[moment::2]
        plot.scatter(
            [100 * step.cost for step in chosen],
            [step.metrics[metric] for step in chosen],
            marker=marker,
            label=("before a round", "after it")[moment],
            zorder=2,
        )
    for step in steps[1::2]:
        plot.annotate(
            f"epoch {step.epoch}",
            (100 * step.cost, step.metrics[metric]),
            textcoords="offset points",
            xytext=(6, 6),
        )
    plot.set_xlabel("cost of layers with a gate below 1, % of all BIN layers")
    plot.set_ylabel(f"{metric}, with the statistics of batches")
    plot.set_xlim(-5, 105)
    plot.invert_xaxis()
    plot.legend()
    return figure
