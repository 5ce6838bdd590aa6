"""Two tasks on the same pictures: the accuracies on both, and what is near the better one."""

from collections.abc import Mapping, Sequence
from statistics import mean

import numpy as np
from matplotlib.figure import Figure

from common.charts import plot_rho, plot_scores
from common.report import Claim

Means = Mapping[str, Mapping[str, float]]


def accuracies(runs: Sequence[dict]) -> dict[str, dict[str, list[float]]]:
    """Returns the accuracy with each seed, by task (and for their average) and by normalization."""
    tasks = list(dict.fromkeys(run["task"] for run in runs))
    norms = list(dict.fromkeys(run["norm"] for run in runs))
    rows = {
        task: {
            norm: [run["accuracy"] for run in runs if (run["task"], run["norm"]) == (task, norm)]
            for norm in norms
        }
        for task in tasks
    }
    rows["average"] = {
        norm: [mean(pair) for pair in zip(*(rows[task][norm] for task in tasks), strict=True)]
        for norm in norms
    }
    return rows


def mean_accuracies(runs: Sequence[dict]) -> dict[str, dict[str, float]]:
    """Returns the means over seeds of `accuracies`."""
    return {
        row: {norm: mean(values) for norm, values in scores.items()}
        for row, scores in accuracies(runs).items()
    }


def gates(runs: Sequence[dict]) -> dict[str, np.ndarray]:
    """Returns BIN's mean rho of each layer with each seed, by task, shape `(seeds, layers)`."""
    chosen = [run for run in runs if run["norm"] == "BIN"]
    return {
        task: np.array([run["rho"] for run in chosen if run["task"] == task])
        for task in dict.fromkeys(run["task"] for run in chosen)
    }


def shortfall(scores: Mapping[str, float], norm: str) -> float:
    """Returns how many points a normalization is behind the better of BN and IN."""
    return round(max(scores["BN"], scores["IN"]) - scores[norm], 6)


def close_to_the_better(means: Means, margin: float) -> list[Claim]:
    """Judges by task whether BIN is near the better of BN and IN.

    Args:
        means: by task and normalization, accuracies.
        margin: how far behind BIN may be, in points.
    """
    return [
        Claim(
            f"on {task}, BIN ({scores['BIN']:.2f} %) is within {margin} points of the better "
            f"of BN ({scores['BN']:.2f} %) and IN ({scores['IN']:.2f} %)",
            shortfall(scores, "BIN") <= margin,
        )
        for task, scores in means.items()
    ]


def plot_tasks(runs: Sequence[dict]) -> Figure:
    """Draws the accuracies of each task, and rho from the first layer to the last."""
    rows = accuracies(runs)
    del rows["average"]
    norms = len(next(iter(rows.values())))
    figure = Figure(figsize=(6 + 1.5 * norms, 3.6), layout="constrained")
    *bars, rho = figure.subplots(1, 3)
    for axes, (task, scores) in zip(bars, rows.items(), strict=True):
        plot_scores(axes, scores, "held-out accuracy (%)")
        axes.set_title(f"task: {task}")
    means = gates(runs)
    for task, values in means.items():
        plot_rho(rho, values, task)
        rho.legend(title="task")
    if not means:
        rho.remove()
    return figure
