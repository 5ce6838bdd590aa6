"""Plots of the distribution of rho."""

from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from keras_bin.gates.finding import named_gates
from keras_bin.gates.picture import (
    RHO,
    font_scale,
    highest,
    layer_names,
    new_picture,
    title_of,
    widest,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THIRDS = ("lower", "middle", "upper")


def plot_rho(
    model: keras.layers.Layer, bins: int = 20, by: Literal["layer", "depth"] = "layer"
) -> "Figure":
    """Draws the distribution of rho, layer by layer or in the lower, middle and upper layers.

    Gates that are NaN or outside [0, 1] fall into no interval; the title says how many there are.

    Args:
        model: a model with at least one built BIN layer.
        bins: number of equal intervals that [0, 1] is divided into, at least 1.
        by: "layer" draws one row per BIN layer, from the one nearest the input (top) to the last;
            each cell shows the share of the layer's channels whose rho falls into the interval.
            "depth" draws three histograms, as in the paper: of all channels in the lower,
            middle and upper third of the BIN layers, counted from the input.

    Returns:
        A `matplotlib.figure.Figure`, for `figure.savefig(path)`. A notebook displays it
        automatically as the last value of a cell.

    Raises:
        ImportError: matplotlib is missing.
        TypeError: `model` is neither a model nor a layer.
        ValueError: the model has no built BIN layer, or fewer than three and `by` is "depth";
            `bins` is not an integer above 0; or `by` is neither "layer" nor "depth".

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3))] + [keras_bin.BatchInstanceNormalization() for _ in range(3)]
    ... )
    >>> figure = keras_bin.plot_rho(model)
    >>> figure.get_axes()[0].get_xlabel()
    'rho   (0: instance normalization, 1: batch normalization)'
    >>> figure = keras_bin.plot_rho(model, by="depth")
    >>> [plot.get_title() for plot in figure.get_axes()]
    ['lower layers (1)', 'middle layers (1)', 'upper layers (1)']

    Source: figure 2 of Nam & Kim 2018, which shows the same distribution by depth.
    """
    gates = named_gates(model)
    if not gates:
        raise ValueError(
            "`model` must contain at least one built BatchInstanceNormalization layer to plot; "
            f"build it first, or check that it is the BIN model. Received: model={model.name!r}"
        )
    if not isinstance(bins, Integral) or bins < 1:
        raise ValueError(
            f"`bins` must be an integer, at least 1; the default is 20. Received: bins={bins!r}"
        )
    if by == "layer":
        return _by_layer(gates, bins)
    if by != "depth":
        raise ValueError(f"`by` must be 'layer' or 'depth'. Received: by={by!r}")
    if len(gates) < len(_THIRDS):
        raise ValueError(
            "by='depth' needs at least three BIN layers to divide into lower, middle and upper "
            f"ones; use by='layer'. Received: a model with {len(gates)}"
        )
    return _by_depth(gates, bins)


def _by_layer(gates: Mapping[str, NDArray[Any]], bins: int) -> "Figure":
    figure = new_picture("plot_rho")
    figure.set_layout_engine("constrained", hspace=0)
    grid = figure.add_gridspec(2, 1)
    plot, key = figure.add_subplot(grid[1]), figure.add_subplot(grid[0])
    image = plot.imshow(
        np.array([_shares(rho, bins) for rho in gates.values()]),
        aspect="auto",
        cmap="viridis",
        vmin=0,
        vmax=100,
        extent=(0, 1, len(gates) - 0.5, -0.5),
    )
    plot.set_yticks(range(len(gates)), layer_names(gates), parse_math=False)
    plot.set_xlabel(RHO)
    figure.colorbar(image, cax=key, orientation="horizontal", ticklocation="top")
    key.set_xlabel("% of the layer's channels", labelpad=6 * font_scale())
    title = figure.suptitle(title_of("rho in each layer (channels), input first", gates))

    names, labels = plot.get_yticklabels(), [plot.xaxis.label, key.xaxis.label]
    name_height = highest(figure, names)
    heights = [0.1 * font_scale(), 1.8 * name_height * len(gates)]
    grid.set_height_ratios(heights)
    text_height = highest(figure, [title]) + 2 * highest(figure, labels) + 2 * name_height
    bars_width = max(5 * font_scale(), widest(figure, [title, *labels]))
    figure.set_size_inches(
        widest(figure, names) + bars_width + 0.6 * font_scale(), text_height + sum(heights) + 0.5
    )
    return figure


def _by_depth(gates: Mapping[str, NDArray[Any]], bins: int) -> "Figure":
    figure = new_picture("plot_rho")
    figure.set_layout_engine("constrained")
    edges = np.linspace(0, 1, bins + 1)
    plots = figure.subplots(1, len(_THIRDS), sharey=True)
    thirds = np.array_split(np.array(list(gates)), len(_THIRDS))
    for plot, third, names in zip(plots, _THIRDS, thirds, strict=True):
        rho = np.concatenate([gates[name] for name in names])
        plot.stairs(_shares(rho, bins), edges, fill=True)
        plot.set_title(f"{third} layers ({len(names)})")
        plot.set_xlim(0, 1)
        line = 72 * highest(figure, plot.get_xticklabels())  # points
        plot.tick_params(pad=0.75 * line)
    plots[0].set_ylabel("% of the channels")
    figure.suptitle(title_of("rho by depth", gates))
    figure.supxlabel(RHO, fontsize="medium")
    figure.set_size_inches(9 * font_scale(), 3.4 * font_scale())
    return figure


def _shares(rho: NDArray[Any], bins: int) -> NDArray[Any]:
    """Returns the percentage of the gates in each interval."""
    counts: NDArray[Any] = np.histogram(rho, bins=bins, range=(0, 1))[0]
    return 100 * counts / rho.size
