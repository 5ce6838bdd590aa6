"""Summaries of a model's gates in numbers."""

from typing import NamedTuple

import keras
import numpy as np

from keras_bin.gates.finding import named_gates
from keras_bin.tables import Table, TableList


class RhoSummary(NamedTuple):
    """The gates of one BIN layer.

    Attributes:
        layer: path of the layer, with a number if another layer has the same path.
        channels: number of its channels, one gate each.
        mean: mean of its gates, from 0 (instance normalization) to 1 (batch normalization).
        minimum: the smallest gate.
        maximum: the largest gate.
        at_zero: number of gates that are exactly 0.
        at_one: number of gates that are exactly 1.
        near_zero: number of gates below 0.1, including those at 0.
        near_one: number of gates above 0.9, including those at 1.

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
    """Summarizes the gates of every built BIN layer of a model, from input to output.

    Args:
        model: a model, or a layer that contains BIN layers.

    Returns:
        A list with a `RhoSummary` of plain numbers for each layer. It prints, and displays in a
        notebook, as a table.

    Raises:
        TypeError: `model` is neither a model nor a layer.

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
    return RhoSummaries(
        RhoSummary(
            layer=layer,
            channels=rho.size,
            mean=float(rho.mean()),
            minimum=float(rho.min()),
            maximum=float(rho.max()),
            at_zero=int(np.count_nonzero(rho == 0)),
            at_one=int(np.count_nonzero(rho == 1)),
            near_zero=int(np.count_nonzero(rho < 0.1)),
            near_one=int(np.count_nonzero(rho > 0.9)),
        )
        for layer, rho in named_gates(model).items()
    )


class RhoSummaries(TableList[RhoSummary]):
    """A list with a `RhoSummary` for each BIN layer, from input to output."""

    def table(self) -> Table:
        """Returns the table."""
        figures = [*RhoSummary._fields[1:5], "at 0", "at 1", "< 0.1", "> 0.9"]
        rows = [(layer, *map(_figure, rest)) for layer, *rest in self]
        return Table(
            "rho of each BIN layer", {"layer": False, **dict.fromkeys(figures, True)}, rows
        )


def _figure(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
