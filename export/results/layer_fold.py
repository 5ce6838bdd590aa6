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
    """

    layer: str
    kind: str
    became: str
    into: str | None = None
    reason: str = ""
    channels: int = 0
    snapped: int = 0
    clipped: int = 0
