"""Pictures of experiments on Fashion-MNIST: learning curves, rho in training, and what was read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from common.charts import plot_curves
from common.whole_files import save_picture
from fashion.data import NAMES
from fashion.training import CURVE_PICTURES

SHARES = {"rho = 0": "#ccbb44", "between": "#bbbbbb", "rho = 1": "#4477aa"}
SHOWN = 6  # pictures in a row


def save_training(runs: Mapping[str, Sequence[dict]], start: float, folder: Path) -> None:
    """Saves the learning curves of each task, and the paths of BIN's gates in all of them.

    Args:
        runs: by task; a single task has no name.
        start: where rho started.
        folder: receives `learning.png`, or `learning_TASK.png`, and `rho.png` if BIN was run.
    """
    for task, chosen in runs.items():
        name = f"learning_{task}" if task else "learning"
        save_picture(plot_learning(chosen), folder / f"{name}.png")
    gates = {
        task or "BIN": [run for run in chosen if run["norm"] == "BIN"]
        for task, chosen in runs.items()
    }
    if all(gates.values()):
        save_picture(plot_gates(gates, start), folder / "rho.png")


def plot_learning(runs: Sequence[dict]) -> Figure:
    """Draws the loss in training and the accuracy on held-out pictures after each epoch."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    plot_epochs(loss, runs, lambda record: record["loss"])
    loss.set(title="in training", ylabel="loss (cross-entropy and weight decay)")
    plot_epochs(accuracy, runs, lambda record: mean(record["tests"].values()))
    accuracy.set(
        title=f"held out, up to {CURVE_PICTURES:,} pictures of each test", ylabel="accuracy (%)"
    )
    accuracy.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def plot_epochs(axes: Axes, runs: Sequence[dict], value: Callable[[dict], float | None]) -> None:
    """Draws a value of each epoch's record over the epochs, by normalization; None leaves a gap."""
    rows = {
        norm: np.array(
            [[value(record) for record in run["epochs"]] for run in runs if run["norm"] == norm],
            float,
        )
        for norm in dict.fromkeys(run["norm"] for run in runs)
    }
    epochs = len(runs[0]["epochs"])
    plot_curves(axes, range(1, epochs + 1), rows)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def plot_gates(runs: Mapping[str, Sequence[dict]], start: float = 1.0) -> Figure:
    """Draws the path of rho in each layer, and the final gates, for BIN's runs.

    Args:
        runs: by title, runs whose every layer is a BIN layer, one for each seed.
        start: where rho started.
    """
    figure = Figure(figsize=(11, 4 * len(runs)), layout="constrained")
    for axes, (title, chosen) in zip(
        figure.subplots(len(runs), 2, squeeze=False), runs.items(), strict=True
    ):
        gates = np.array([[record["rho"] for record in run["epochs"]] for run in chosen]).mean(0)
        _plot_paths(axes[0], gates[:, :, 0], start)
        _plot_shares(axes[1], gates[-1, :, 1:])
        axes[0].set_title(f"{title}: rho in training")
        axes[1].set_title(f"{title}: gates after the last epoch")
    return figure


def _plot_paths(axes, rho, start):
    """Draws the mean of each layer over epochs; shape `(epochs, layers)`."""
    layers = rho.shape[1]
    colours = colormaps["viridis"](np.linspace(0, 0.95, layers))
    paths = np.vstack([np.full(layers, start), rho])
    for layer, (path, colour) in enumerate(zip(paths.T, colours, strict=True), start=1):
        axes.plot(path, color=colour, label=f"layer {layer}" if layer in (1, layers) else None)
    axes.set(xlabel="epoch", ylabel="mean of rho over channels", ylim=(0, 1.05))
    axes.set_xticks(range(len(paths)))
    axes.legend(loc="lower left")


def _plot_shares(axes, counts):
    """Draws the shares of gates at 0, between and at 1 by layer; shape `(layers, 3)`."""
    shares = 100 * counts / counts.sum(1, keepdims=True)
    layers, bottom = np.arange(1, len(shares) + 1), np.zeros(len(shares))
    for (name, colour), part in zip(SHARES.items(), shares.T, strict=True):
        axes.bar(layers, part, bottom=bottom, color=colour, label=name)
        bottom += part
    axes.set(xlabel="BIN layer, from first to last", ylabel="% of the layer's gates")
    axes.set_xticks(layers)
    axes.tick_params("x", labelsize=7)
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)


def plot_disagreements(
    tests: Mapping[str, tuple[np.ndarray, np.ndarray]],
    readings: Mapping[str, Mapping[str, np.ndarray]],
) -> Figure:
    """Draws pictures that BN reads wrong and BIN right, and vice versa.

    Args:
        tests: pictures and labels, by style.
        readings: what the net reads in each picture, by "BN" and "BIN" and by style.
    """
    figure = Figure(figsize=(2 * 1.25 * SHOWN + 1, 1.75 * len(tests) + 0.6), layout="constrained")
    halves = figure.subfigures(1, 2)
    for half, (right, wrong) in zip(halves, (("BIN", "BN"), ("BN", "BIN")), strict=True):
        grid = half.subplots(len(tests), SHOWN, squeeze=False)
        half.suptitle(f"{right} right, {wrong} wrong: what it is, and what {wrong} reads")
        for row, (style, (pictures, labels)) in zip(grid, tests.items(), strict=True):
            mine, other = readings[right][style], readings[wrong][style]
            found = np.flatnonzero((mine == labels) & (other != labels))
            row[0].set_ylabel(f"{style}\n{len(found)} of {len(labels):,}")
            for axes, place in zip(row, [*found[:SHOWN], *[None] * SHOWN], strict=False):
                axes.set(xticks=[], yticks=[])
                if place is None:
                    axes.set_frame_on(False)
                    continue
                axes.imshow(pictures[place], vmin=0, vmax=1)
                axes.set_title(f"{NAMES[labels[place]]}\n{NAMES[other[place]]}?", fontsize=7)
    return figure
