"""Summaries of a model's gates, as numbers and as a picture."""

from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from keras_bin.gates import bin_layers
from keras_bin.layer import BatchInstanceNormalization

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RhoSummary(NamedTuple):
    """The gates of one BIN layer.

    Attributes:
        layer: path of the layer.
        channels: number of its channels, one gate each.
        mean: mean of its gates, from 0 (instance normalization) to 1 (batch normalization).
        minimum: the smallest gate.
        maximum: the largest gate.
        at_zero: number of gates that are exactly 0.
        at_one: number of gates that are exactly 1.
        near_zero: number of gates below 0.1, those at 0 included.
        near_one: number of gates above 0.9, those at 1 included.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras_bin.BatchInstanceNormalization(name="bin")]
    ... )
    >>> keras_bin.rho_summary(model)[0]
    RhoSummary(layer='sequential/bin', channels=3, mean=1.0, minimum=1.0, maximum=1.0,
               at_zero=0, at_one=3, near_zero=0, near_one=3)
    """

    layer: str
    channels: int
    mean: float
    minimum: float
    maximum: float
    at_zero: int
    at_one: int
    near_zero: int
    near_one: int


def rho_summary(model: keras.layers.Layer) -> list[RhoSummary]:
    """Sums up the gates of every built BIN layer of a model, from input to output.

    Args:
        model: a model, or a layer that contains BIN layers.

    Returns:
        A `RhoSummary` for each layer, of plain numbers.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 4)), keras_bin.BatchInstanceNormalization(name="bin")]
    ... )
    >>> _ = model.get_layer("bin").rho.assign([0.0, 0.25, 0.75, 1.0])
    >>> (summary,) = keras_bin.rho_summary(model)
    >>> summary.layer, summary.channels, summary.mean, summary.at_zero, summary.near_one
    ('sequential/bin', 4, 0.5, 1, 1)
    """
    return [
        RhoSummary(
            layer=layer.path,
            channels=rho.size,
            mean=float(rho.mean()),
            minimum=float(rho.min()),
            maximum=float(rho.max()),
            at_zero=int(np.count_nonzero(rho == 0)),
            at_one=int(np.count_nonzero(rho == 1)),
            near_zero=int(np.count_nonzero(rho < 0.1)),
            near_one=int(np.count_nonzero(rho > 0.9)),
        )
        for layer, rho in _gates(model)
    ]


def plot_rho(model: keras.layers.Layer, bins: int = 20) -> "Figure":
    """Draws the distribution of rho, one row per BIN layer, from input to output.

    Args:
        model: a model with at least one built BIN layer.
        bins: number of equal intervals that [0, 1] is divided into, at least 1.

    Returns:
        A `matplotlib.figure.Figure`, for `figure.savefig(path)`. Rows run from the layer
        nearest the input (top) to the last one; each cell shows the share of the layer's
        channels whose rho falls into the interval.

    Raises:
        ImportError: matplotlib is missing.
        ValueError: the model has no built BIN layer, or `bins` is below 1.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras_bin.BatchInstanceNormalization()]
    ... )
    >>> figure = keras_bin.plot_rho(model)
    >>> figure.get_axes()[0].get_xlabel()
    'rho   (0: instance normalization, 1: batch normalization)'

    Source: after figure 2 of Nam & Kim 2018, which shows the same distribution.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "plot_rho needs matplotlib; install it with: pip install 'keras-bin[plot]'"
        ) from error
    gates = _gates(model)
    if not gates:
        raise ValueError(
            "`model` must hold at least one built BatchInstanceNormalization layer to plot; "
            f"build it first, or check that it is the BIN model. Received: model={model.name!r}"
        )
    if bins < 1:
        raise ValueError(f"`bins` must be at least 1; the default is 20. Received: bins={bins!r}")
    shares = [np.histogram(rho, bins=bins, range=(0, 1))[0] / rho.size for _, rho in gates]

    figure = Figure(figsize=(7, 1.8 + 0.35 * len(gates)), layout="constrained")
    plot = figure.subplots()
    image = plot.imshow(
        100 * np.array(shares),
        aspect="auto",
        cmap="viridis",
        vmin=0,
        vmax=100,
        extent=(0, 1, len(gates) - 0.5, -0.5),
    )
    plot.set_yticks(range(len(gates)), [f"{layer.name} ({rho.size})" for layer, rho in gates])
    plot.set_xlabel("rho   (0: instance normalization, 1: batch normalization)")
    plot.set_ylabel("layer (channels), input first")
    figure.colorbar(image, label="% of the layer's channels")
    return figure


def _gates(
    model: keras.layers.Layer,
) -> list[tuple[BatchInstanceNormalization, NDArray[np.float64]]]:
    """Returns the built BIN layers of a model, each with its gates."""
    return [
        (layer, keras.ops.convert_to_numpy(layer.rho).astype("float64"))
        for layer in bin_layers(model)
        if layer.rho is not None
    ]
