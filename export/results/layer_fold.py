"""What became of each normalization layer of a model that was folded."""

from typing import NamedTuple

ABSORBED = "absorbed"
AFFINE = "affine map"
INSTANCE = "instance normalization"
MIXED = "batch-instance normalization"
UNFOLDED = "unfolded"


class LayerFold(NamedTuple):
    """What became of one layer.

    Attributes:
        layer: path of the layer in the source model.
        kind: name of its class.
        became: `"absorbed"` where the layer before it took it into its weights, or what it
            turned into: `"affine map"`, `"instance normalization"` or
            `"batch-instance normalization"`; `"unfolded"` where it was copied as it is.
        into: path of the layer that absorbed it, or None.
        reason: why a layer without an instance branch was not absorbed, or why a layer was not
            folded; empty otherwise.
        channels: number of its channels.
        snapped: number of channels whose rho was moved to 0 or 1 by `rho_tolerance`.
        clipped: number of channels whose rho was outside of [0, 1], and was clipped.

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
