"""What is reported of each normalization layer of a folded model."""

from typing import Any, NamedTuple

import keras

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
            `"instance normalization"` or `"batch-instance normalization"` if it turned into
            one; `"unfolded"` if it stayed as it is.
        into: path of the layer that absorbed it, or None.
        reason: why an affine map was not absorbed, or why a layer was not folded; empty
            otherwise.
        channels: number of its channels.
        snapped: number of channels whose rho was moved to 0 or 1 by `rho_tolerance`.
        clipped: number of channels whose rho was outside [0, 1], and was clipped.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold_report
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs)
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(x))
    >>> fold_report(model)[0]
    LayerFold(layer='bin', kind='BatchInstanceNormalization', became='absorbed', into='conv',
              reason='', channels=4, snapped=0, clipped=0)
    """

    layer: str
    kind: str
    became: str
    into: str | None = None
    reason: str = ""
    channels: int = 0
    snapped: int = 0
    clipped: int = 0

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
            **change._asdict(),
            **facts,
        )
