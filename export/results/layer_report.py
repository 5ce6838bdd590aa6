"""What is reported about each normalization layer of a folded model."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from keras_bin.layer import BatchInstanceNormalization
from keras_bin.tables import Table, TableList

ABSORBED = "absorbed"
AFFINE = "affine map"
INSTANCE = "instance normalization"
MIXED = "batch-instance normalization"
UNFOLDED = "unfolded"


class GateChange(NamedTuple):
    """How many gates of a layer an export changes.

    Attributes:
        clipped: number of channels whose rho was outside [0, 1].
        snapped: number of channels whose rho was moved to 0 or 1 by `rho_tolerance`.
    """

    clipped: int = 0
    snapped: int = 0


class LayerFold(NamedTuple):
    """What became of one normalization layer.

    Attributes:
        layer: path of the layer in the original model.
        kind: name of its class.
        became: `"absorbed"` if the layer before took it into its weights; `"affine map"`,
            `"instance normalization"` or `"batch-instance normalization"` if it became one;
            `"unfolded"` if it stayed as it is.
        into: path of the layer that absorbed it, or None.
        reason: why an affine map was not absorbed, or why a layer was not folded; empty
            otherwise.
        channels: number of its channels.
        snapped: number of channels whose rho was moved to 0 or 1 by `rho_tolerance`.
        clipped: number of channels whose rho was outside [0, 1], and was clipped.
        has_gates: whether it is a BIN layer, not a batch normalization.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold_report
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs)
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(x))
    >>> fold_report(model)[0]
    LayerFold(layer='bin', kind='BatchInstanceNormalization', became='absorbed', into='conv',
              reason='', channels=4, snapped=0, clipped=0, has_gates=True)
    """

    layer: str
    kind: str
    became: str
    into: str | None = None
    reason: str = ""
    channels: int = 0
    snapped: int = 0
    clipped: int = 0
    has_gates: bool = True

    @classmethod
    def of(
        cls, layer: keras.layers.Layer, became: str, change: GateChange, **facts: Any
    ) -> "LayerFold":
        """Reports a built normalization layer; `facts` are the attributes `into` and `reason`."""
        return cls(
            layer.path,
            type(layer).__name__,
            became,
            channels=layer.moving_mean.shape[0],
            has_gates=isinstance(layer, BatchInstanceNormalization),
            **change._asdict(),
            **facts,
        )


class FoldReport(TableList[LayerFold]):
    """A list with a `LayerFold` for each normalization layer, from input to output."""

    def table(self) -> Table:
        """Returns the table, with the counts in its title."""
        return fold_table(counts(self), self)


def folded(layers: Sequence[LayerFold]) -> int:
    """Counts the BIN layers that became constants."""
    return sum(layer.has_gates and layer.became != UNFOLDED for layer in layers)


def absorbed(layers: Sequence[LayerFold]) -> tuple[int, int]:
    """Counts the batch normalizations that other layers absorbed, and all of them."""
    found = [layer.became == ABSORBED for layer in layers if not layer.has_gates]
    return sum(found), len(found)


def counts(layers: Sequence[LayerFold]) -> str:
    """Says how many layers were folded, and how many were absorbed."""
    taken, batch_normalizations = absorbed(layers)
    text = f"BIN layers folded: {folded(layers)}"
    if batch_normalizations:
        text += f", BatchNormalization layers absorbed: {taken} of {batch_normalizations}"
    return text


def fold_table(title: str, layers: Sequence[LayerFold]) -> Table:
    """Returns a table with a row for each layer."""
    columns = {"layer": False, "class": False, "channels": True, "became": False, "why": False}
    return Table(title, columns, [_row(layer) for layer in layers])


def _row(layer: LayerFold) -> tuple[str, ...]:
    into = f"{layer.became} into {layer.into}" if layer.into else layer.became
    clipped = f"rho clipped to [0, 1] in {layer.clipped} channels" if layer.clipped else ""
    snapped = f"rho moved to 0 or 1 in {layer.snapped} channels" if layer.snapped else ""
    why = "; ".join(filter(None, (layer.reason, clipped, snapped)))
    return (layer.layer, layer.kind, str(layer.channels), into, why)
