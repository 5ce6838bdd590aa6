"""Charts that set normalizations side by side, and one of rho by layer."""

import math
from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np
from matplotlib.axes import Axes

COLOURS = {
    "BN": "#4477aa",
    "IN": "#ccbb44",
    "BN+IN": "#66ccee",
    "BIN": "#ee6677",
    "BIN unscaled": "#ffaabb",
    "IN first": "#228833",
    "BIN first": "#aa3377",
    "IBN-Net": "#44bb99",
    "BN+IN first": "#99ddff",
    "BIN settled": "#cc3311",
}
LOW = 50
FEW_LAYERS = 13  # at most so many that each has room for its number


def plot_scores(axes: Axes, scores: dict[str, Sequence[float]], label: str) -> None:
    """Draws a bar per normalization, with the standard deviation over seeds, and its height below.

    Args:
        axes: where to draw.
        scores: by normalization, one percentage per seed.
        label: what the percentages are. If the axis does not start at 0, it says so.
    """
    means = [mean(values) for values in scores.values()]
    deviations = [_deviation_of(values) for values in scores.values()]
    colours = [COLOURS[norm] for norm in scores]
    axes.bar(range(len(scores)), means, yerr=deviations, color=colours, capsize=4)
    names = [f"{norm}\n{value:.1f}" for norm, value in zip(scores, means, strict=True)]
    axes.set_xticks(range(len(scores)), names)
    _start_below(axes, scores.values(), label)


def plot_grouped_scores(
    axes: Axes, rows: dict[str, dict[str, Sequence[float]]], label: str
) -> None:
    """Draws the bars of `plot_scores` for several rows side by side, with a legend above.

    Args:
        axes: where to draw.
        rows: by row and normalization, one percentage per seed.
        label: what the percentages are. If the axis does not start at 0, it says so.
    """
    norms = list(next(iter(rows.values())))
    width = 0.8 / len(norms)
    for place, norm in enumerate(norms):
        axes.bar(
            [row + (place - (len(norms) - 1) / 2) * width for row in range(len(rows))],
            [mean(scores[norm]) for scores in rows.values()],
            width,
            yerr=[_deviation_of(scores[norm]) for scores in rows.values()],
            color=COLOURS[norm],
            capsize=2,
            label=norm,
        )
    axes.set_xticks(range(len(rows)), list(rows))
    axes.legend(ncols=len(norms), loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    _start_below(axes, [scores[norm] for scores in rows.values() for norm in norms], label)


def _start_below(axes, scores, label):
    """Starts the axis below the lowest bar and its deviation, or at 0 if that is below LOW.

    It ends above the highest one, at a multiple of 5 that is 100 at most.
    """
    scores = list(scores)
    lowest = min(mean(values) - _deviation_of(values) for values in scores)
    highest = max(mean(values) + _deviation_of(values) for values in scores)
    start = 5 * int((lowest - 1) // 5)
    if start < LOW:
        start = 0
    axes.set_ylim(start, min(100, 5 * math.ceil(highest / 5) or 5))
    axes.set_ylabel(f"{label}, axis starts at {start}" if start else label)


def _deviation_of(values):
    return stdev(values) if len(values) > 1 else 0


def plot_leads(axes: Axes, leads: np.ndarray, names: Sequence[str]) -> None:
    """Draws a square of differences between BIN and BN, with the number in each cell.

    Args:
        axes: where to draw.
        leads: points, shape `(len(names), len(names))`; NaN where there is nothing to compare.
        names: of the rows, and of the columns.
    """
    limit = np.nanmax(np.abs(leads)) or 1
    image = axes.imshow(leads, cmap="PiYG", vmin=-limit, vmax=limit)
    axes.figure.colorbar(image, label="BIN - BN (points)")
    for row, column in np.argwhere(np.isfinite(leads)):
        lead = leads[row, column]
        colour = "white" if abs(lead) > 0.7 * limit else "black"
        axes.text(column, row, f"{lead:+.1f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    axes.set_yticks(range(len(names)), names)


def plot_curves(axes: Axes, places: Sequence[float], rows: dict[str, np.ndarray]) -> None:
    """Draws a curve per normalization, with a band of the standard deviation over seeds.

    Args:
        axes: where to draw.
        places: of the points, from left to right.
        rows: by normalization, values of shape `(seeds, len(places))`.
    """
    for norm, values in rows.items():
        middle, deviation = values.mean(0), _deviation(values)
        axes.plot(places, middle, color=COLOURS[norm], label=norm)
        axes.fill_between(
            places, middle - deviation, middle + deviation, color=COLOURS[norm], alpha=0.2, lw=0
        )


def plot_rho(axes: Axes, rho: np.ndarray, label: str = "", colour: str | None = None) -> None:
    """Draws rho from the first layer to the last, with the standard deviation over seeds.

    Args:
        axes: where to draw.
        rho: means over channels, shape `(seeds, layers)`.
        label: name of the line in a legend.
        colour: of the line; by default Matplotlib chooses.
    """
    layers = np.arange(1, rho.shape[1] + 1)
    axes.errorbar(
        layers, rho.mean(0), _deviation(rho), capsize=3, marker="o", label=label, color=colour
    )
    axes.set(title="where rho went", xlabel="BIN layer, from first to last")
    axes.set_xticks(layers[:: math.ceil(len(layers) / FEW_LAYERS)])
    axes.set(ylabel="mean of rho over channels", ylim=(0, 1.05))


def _deviation(values):
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
