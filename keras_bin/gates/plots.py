"""Pictures of gates: how rho is distributed, and the path that each gate took in training."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from keras_bin.gates.finding import named_gates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THIRDS = ("lower", "middle", "upper")
_RHO = "rho   (0: instance normalization, 1: batch normalization)"
_MOST_COLUMNS = 4


def plot_rho(
    model: keras.layers.Layer, bins: int = 20, by: Literal["layer", "depth"] = "layer"
) -> "Figure":
    """Draws the distribution of rho, layer by layer or in the lower, middle and upper layers.

    Args:
        model: a model with at least one built BIN layer.
        bins: number of equal intervals that [0, 1] is divided into, at least 1.
        by: "layer" draws one row per BIN layer, from the one nearest the input (top) to the last;
            each cell shows the share of the layer's channels whose rho falls into the interval.
            "depth" draws three histograms, as in the paper: of all channels in the lower,
            middle and upper third of the BIN layers, counted from the input.

    Returns:
        A `matplotlib.figure.Figure`, for `figure.savefig(path)`.

    Raises:
        ImportError: matplotlib is missing.
        ValueError: the model has no built BIN layer, or fewer than three and `by` is "depth";
            `bins` is below 1, or `by` is something else.

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
            "`model` must hold at least one built BatchInstanceNormalization layer to plot; "
            f"build it first, or check that it is the BIN model. Received: model={model.name!r}"
        )
    if bins < 1:
        raise ValueError(f"`bins` must be at least 1; the default is 20. Received: bins={bins!r}")
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
    figure = _figure("plot_rho", 7, 1.8 + 0.35 * len(gates))
    plot = figure.subplots()
    image = plot.imshow(
        np.array([_shares(rho, bins) for rho in gates.values()]),
        aspect="auto",
        cmap="viridis",
        vmin=0,
        vmax=100,
        extent=(0, 1, len(gates) - 0.5, -0.5),
    )
    plot.set_yticks(range(len(gates)), [f"{name} ({rho.size})" for name, rho in gates.items()])
    plot.set_xlabel(_RHO)
    plot.set_ylabel("layer (channels), input first")
    figure.colorbar(image, label="% of the layer's channels")
    return figure


def _by_depth(gates: Mapping[str, NDArray[Any]], bins: int) -> "Figure":
    figure = _figure("plot_rho", 9, 3)
    edges = np.linspace(0, 1, bins + 1)
    plots = figure.subplots(1, len(_THIRDS), sharey=True)
    thirds = np.array_split(np.array(list(gates)), len(_THIRDS))
    for plot, third, names in zip(plots, _THIRDS, thirds, strict=True):
        rho = np.concatenate([gates[name] for name in names])
        plot.stairs(_shares(rho, bins), edges, fill=True)
        plot.set_title(f"{third} layers ({len(names)})")
        plot.set_xlim(0, 1)
    plots[0].set_ylabel("% of the channels")
    figure.supxlabel(_RHO, fontsize="medium")
    return figure


def _shares(rho: NDArray[Any], bins: int) -> NDArray[Any]:
    """Returns how many per cent of the gates fall into each interval."""
    counts: NDArray[Any] = np.histogram(rho, bins=bins, range=(0, 1))[0]
    return 100 * counts / rho.size


def plot_paths(epochs: Sequence[int], paths: Mapping[str, NDArray[Any]]) -> "Figure":
    """Draws the path of every gate, one plot per layer.

    Args:
        epochs: number of finished epochs at each point.
        paths: by layer, arrays of shape `(len(epochs), channels)`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: matplotlib is missing.
    """
    columns = min(len(paths), _MOST_COLUMNS)
    rows = math.ceil(len(paths) / columns)
    figure = _figure("RhoHistory.plot", 1.2 + 2.6 * columns, 1.2 + 1.7 * rows)
    plots = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for plot, (name, rho) in zip(plots, paths.items(), strict=False):
        plot.plot(epochs, rho, color="tab:blue", alpha=0.25, linewidth=0.8)
        plot.plot(epochs, rho.mean(1), color="black", label="mean of the layer")
        plot.set_title(f"{name} ({rho.shape[1]})", fontsize="small")
    plots[0].set_ylim(-0.03, 1.03)
    plots[0].locator_params("x", integer=True)
    plots[0].legend(loc="lower left", fontsize="x-small")
    for plot in plots[len(paths) - columns : len(paths)]:  # the lowest of each column
        plot.tick_params(labelbottom=True)
    for plot in plots[len(paths) :]:
        plot.remove()
    figure.suptitle(_RHO, fontsize="small")
    figure.supxlabel("epochs", fontsize="medium")
    figure.supylabel("rho", fontsize="medium")
    return figure


def _figure(needed_by: str, width: float, height: float) -> "Figure":
    """Returns an empty figure of a size in inches, without pyplot and its windows."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs matplotlib; install it with: pip install 'keras-bin[plot]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")
