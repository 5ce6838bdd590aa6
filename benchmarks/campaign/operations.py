"""Single steps of a net: convolutions, normalizations, activations, and changes of size."""

from typing import Any, NamedTuple

import keras
from keras import layers, ops

from benchmarks.campaign.draw import Draw
from keras_bin import BatchInstanceNormalization

ACTIVATIONS = {
    "relu": lambda rank: layers.ReLU(),
    "silu": lambda rank: layers.Activation("silu"),
    "hard_swish": lambda rank: layers.Activation("hard_swish"),
    "gelu": lambda rank: layers.Activation("gelu"),
    "leaky": lambda rank: layers.LeakyReLU(0.2),
    "prelu": lambda rank: layers.PReLU("uniform", shared_axes=tuple(range(1, rank + 1))),
    "tanh": lambda rank: layers.Activation("tanh"),
    "x * sigmoid(x)": lambda rank: layers.Activation(lambda x: x * ops.sigmoid(x)),
}
EPSILONS = (1e-3, 1e-3, 1e-5, 1e-2)
KINDS = ("plain", "plain", "depthwise", "separable", "transposed", "grouped", "dilated", "strided")


class Space(NamedTuple):
    """What all steps of a net share.

    Attributes:
        rank: number of spatial axes, 1 to 3.
        first: whether channels are first; with two spatial axes only.
    """

    rank: int
    first: bool = False

    @property
    def axis(self) -> int:
        """Axis of the channels."""
        return 1 if self.first else -1

    @property
    def format(self) -> str:
        """Keras's name for the position of the channels."""
        return "channels_first" if self.first else "channels_last"

    def layer(self, pattern: str, *arguments: Any, **named: Any) -> keras.layers.Layer:
        """Makes a layer, such as `layer("Conv{}D", 4, 3)`."""
        made = getattr(layers, pattern.format(self.rank))
        if self.first:
            named["data_format"] = self.format
        return made(*arguments, **named)


def convolution(draw: Draw, space: Space, channels: int, filters: int) -> keras.layers.Layer:
    """Draws a convolution.

    Args:
        draw: decides.
        space: of the net.
        channels: those of its input.
        filters: those of its output, if its kind leaves a choice; a multiple of 4.
    """
    kind = draw.of(*KINDS)
    if space.first and kind in ("depthwise", "separable", "transposed", "grouped"):
        kind = "plain"
    if space.rank == 3 and kind in ("depthwise", "separable"):
        kind = "grouped"
    if kind == "grouped" and channels % 4:
        kind = "plain"
    size, bias = draw.of(1, 2, 3, 3), draw.chance(0.5)
    named = {"padding": "same", "use_bias": bias}
    draw.note(f"{kind} conv {size}{', bias' if bias else ''}")
    match kind:
        case "depthwise":
            return space.layer("DepthwiseConv{}D", size, depth_multiplier=draw.of(1, 2), **named)
        case "separable":
            return space.layer("SeparableConv{}D", filters, size, **named)
        case "transposed":
            return space.layer("Conv{}DTranspose", filters, size, strides=draw.of(1, 2, 3), **named)
        case "grouped":
            return space.layer("Conv{}D", filters, size, groups=draw.of(2, 4), **named)
        case "dilated":
            return space.layer("Conv{}D", filters, size, dilation_rate=2, **named)
        case "strided":
            return space.layer("Conv{}D", filters, size, strides=2, **named)
    if draw.chance(0.3):
        named["activation"] = draw.of("relu", "silu", "gelu")
        draw.note(named["activation"])
    return space.layer("Conv{}D", filters, size, **named)


def normalization(draw: Draw, space: Space) -> keras.layers.Layer:
    """Draws a normalization, BIN in three of four cases."""
    named = {
        "axis": space.axis,
        "epsilon": draw.of(*EPSILONS),
        "momentum": draw.of(0.99, 0.9, 0.5),
        "center": draw.chance(0.9),
        "scale": draw.chance(0.9),
    }
    kind = BatchInstanceNormalization if draw.chance(0.75) else layers.BatchNormalization
    draw.note(f"{'BIN' if kind is BatchInstanceNormalization else 'BN'} {named['epsilon']:g}")
    return kind(**named)


def activation(draw: Draw, space: Space) -> keras.layers.Layer:
    """Draws an activation."""
    name = draw.of(*ACTIVATIONS)
    if space.first and name == "prelu":
        name = "leaky"
    draw.note(name)
    return ACTIVATIONS[name](space.rank)


def resize(draw: Draw, space: Space) -> keras.layers.Layer:
    """Draws a pooling or an upsampling."""
    kind = draw.of("MaxPooling{}D", "AveragePooling{}D", "UpSampling{}D")
    draw.note(kind.format(space.rank))
    if kind != "UpSampling{}D":
        return space.layer(kind, 2, padding=draw.of("same", "valid"))
    if space.rank == 2 and draw.chance(0.5):
        draw.note("bilinear")
        return space.layer(kind, 2, interpolation="bilinear")
    return space.layer(kind, 2)


def keep_size(draw: Draw, space: Space, filters: int) -> keras.layers.Layer:
    """Makes a plain convolution that keeps sizes, for branches that are joined again."""
    size, bias = draw.of(1, 3), draw.chance(0.4)
    draw.note(f"conv {size}{', bias' if bias else ''}")
    return space.layer("Conv{}D", filters, size, padding="same", use_bias=bias)
