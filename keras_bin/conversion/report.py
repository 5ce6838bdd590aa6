"""What a conversion does with each normalization layer."""

from collections.abc import Iterable
from typing import NamedTuple

import keras

from keras_bin.messages import listed
from keras_bin.tables import Table, TableList

CONVERTED, LEFT = "converted", "left"


class LayerConversion(NamedTuple):
    """What becomes of one normalization layer when a model is converted.

    Attributes:
        layer: path of the layer.
        kind: its class.
        channels: number of its channels, or None if it is not built.
        became: `"converted"` or `"left"`.
        reason: why it was left as it is, or an empty string.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.BatchNormalization(name="norm")]
    ... )
    >>> (layer,) = keras_bin.conversion_report(model)
    >>> layer.layer, layer.became, layer.reason
    ('sequential/norm', 'left', 'its inputs have no spatial axis')
    """

    layer: str
    kind: str
    channels: int | None
    became: str
    reason: str

    @classmethod
    def of(cls, layer: keras.layers.Layer, reason: str) -> "LayerConversion":
        """Describes a layer that is left for a reason, or converted if there is none."""
        return cls(
            layer.path or layer.name,
            type(layer).__name__,
            layer.moving_mean.shape[0] if layer.built else None,
            LEFT if reason else CONVERTED,
            reason,
        )


class ConversionReport(TableList[LayerConversion]):
    """A list with a `LayerConversion` for each batch normalization layer."""

    def table(self) -> Table:
        """Returns the table, with the count in its title."""
        converted = sum(layer.became == CONVERTED for layer in self)
        columns = {"layer": False, "class": False, "channels": True, "became": False, "why": False}
        rows = [tuple("" if cell is None else str(cell) for cell in layer) for layer in self]
        title = f"BatchNormalization layers converted: {converted} of {len(self)}"
        return Table(title, columns, rows)


def by_reason(layers: Iterable[LayerConversion]) -> str:
    """Lists the reasons why layers were left, each with the first few layers."""
    names: dict[str, list[str]] = {}
    for each in layers:
        names.setdefault(each.reason, []).append(each.layer)
    return "; ".join(f"{listed(each)}: {reason}" for reason, each in names.items())
