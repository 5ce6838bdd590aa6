"""Charts that set normalizations side by side, and one of rho by layer."""

from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np
from matplotlib.axes import Axes

COLOURS = {
    "BN": "#4477aa",
    "IN": "#ccbb44",
    "BN+IN": "#66ccee",
    "BIN": "#ee6677",
    "BIN first": "#aa3377",
}


def plot_scores(axes: Axes, scores: dict[str, Sequence[float]]) -> None:
    """Draws a bar per normalization, with the standard deviation over seeds.

    Args:
        axes: where to draw.
        scores: by normalization, one percentage per seed. The axis begins 5 points below the
            lowest mean.
    """
    means = [mean(values) for values in scores.values()]
    errors = [stdev(values) if len(values) > 1 else 0 for values in scores.values()]
    colours = [COLOURS[norm] for norm in scores]
    bars = axes.bar(list(scores), means, yerr=errors, color=colours, capsize=4)
    axes.bar_label(bars, fmt="%.1f", label_type="center")
    axes.set_ylim(max(0, min(means) - 5), 100)


def plot_grouped_scores(axes: Axes, rows: dict[str, dict[str, Sequence[float]]]) -> None:
    """Draws the bars of `plot_scores` for several rows side by side, with a legend.

    Args:
        axes: where to draw.
        rows: by row and normalization, one percentage per seed.
    """
    norms = list(next(iter(rows.values())))
    width = 0.8 / len(norms)
    means = {norm: [mean(scores[norm]) for scores in rows.values()] for norm in norms}
    for place, norm in enumerate(norms):
        axes.bar(
            [row + (place - (len(norms) - 1) / 2) * width for row in range(len(rows))],
            means[norm],
            width,
            yerr=[stdev(s[norm]) if len(s[norm]) > 1 else 0 for s in rows.values()],
            color=COLOURS[norm],
            capsize=2,
            label=norm,
        )
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set_ylim(max(0, min(map(min, means.values())) - 5), 100)
    axes.legend(ncols=len(norms), loc="lower right")


def plot_leads(axes: Axes, leads: np.ndarray, names: Sequence[str]) -> None:
    """Draws a square of differences between BIN and BN, each with its number in it.

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
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
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
        label: what the line is, for a legend.
        colour: of the line; by default Matplotlib chooses.
    """
    layers = np.arange(1, rho.shape[1] + 1)
    axes.errorbar(
        layers, rho.mean(0), _deviation(rho), capsize=3, marker="o", label=label, color=colour
    )
    axes.set(title="where rho went", xlabel="BIN layer, from first to last", xticks=layers)
    axes.set(ylabel="mean of rho over channels", ylim=(0, 1.05))


def _deviation(values):
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
