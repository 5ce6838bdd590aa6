"""Residual nets whose blocks end in a normalization: ResNet and ResNeXt, for small pictures."""

from collections.abc import Iterator

import keras

from common.layers import Layers

WIDTHS = (16, 32, 64)
EXPANSION = 4


def resnet(x, layers: Layers, depth: int):
    """Makes a convolution, and three stages of `(depth - 2) / 6` residual blocks.

    Args:
        x: pictures of shape `(batch, height, width, channels)`.
        layers: makes convolutions and normalizations.
        depth: 6n + 2: 8, 14, 20, ... It counts two convolutions per block. From 44 on, blocks have
            three, 1x1, 3x3 and 1x1, and end with four times the width.

    Returns:
        A tensor of shape `(batch, height / 4, width / 4, 64)`, or 256 channels from depth 44.

    Raises:
        ValueError: `depth` is not 6n + 2.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2, with a projection in
    every shortcut that changes shape, as in https://github.com/hyseob/Batch-Instance-Normalization.
    """
    blocks, bottleneck = count_blocks(depth, 6, 2), is_bottleneck(depth)
    x = layers.activate(layers.convolve(x, WIDTHS[0], 3), "first")
    for width, strides in stage_blocks(blocks):
        if bottleneck:
            x = _bottleneck(x, layers, width, EXPANSION * width, strides)
        else:
            x = _basic_block(x, layers, width, strides)
    return x


def resnext(x, layers: Layers, depth: int, groups: int, width: int):
    """Makes a convolution, and three stages of `(depth - 2) / 9` blocks of grouped convolutions.

    Args:
        x: pictures of shape `(batch, height, width, channels)`.
        layers: makes convolutions and normalizations.
        depth: 9n + 2: 11, 20, 29, ... It counts three convolutions per block.
        groups: of the 3x3 convolutions.
        width: channels per group in the first stage; the later ones have two and four times as
            many.

    Returns:
        A tensor of shape `(batch, height / 4, width / 4, 1024)`.

    Raises:
        ValueError: `depth` is not 9n + 2.

    Source: Xie et al. 2017, https://arxiv.org/abs/1611.05431, section 5.3.
    """
    blocks = count_blocks(depth, 9, 2)
    x = layers.activate(layers.convolve(x, 64, 3), "first")
    for base, strides in stage_blocks(blocks):
        inside = groups * width * base // WIDTHS[0]
        x = _bottleneck(x, layers, inside, 4 * EXPANSION * base, strides, groups)
    return x


def count_blocks(depth: int, factor: int, rest: int) -> int:
    """Returns n of `depth = factor * n + rest`, or raises ValueError."""
    blocks, remainder = divmod(depth - rest, factor)
    if remainder or blocks < 1:
        smallest = ", ".join(str(factor * n + rest) for n in (1, 2, 3))
        raise ValueError(
            f"`depth` must be {factor}n + {rest}: {smallest}, ... Received: depth={depth!r}"
        )
    return blocks


def stage_blocks(blocks: int) -> Iterator[tuple[int, int]]:
    """Yields the width and the strides of each block of three stages; each halves the last."""
    for stage, width in enumerate(WIDTHS):
        for number in range(blocks):
            yield width, 2 if stage and not number else 1


def is_bottleneck(depth: int) -> bool:
    """Returns whether BIN's authors build nets of that depth from 1x1, 3x3 and 1x1 convolutions."""
    return depth >= 44


def _basic_block(x, layers, width, strides):
    y = layers.activate(layers.convolve(x, width, 3, strides), "block")
    return _join(x, layers.normalize(layers.convolve(y, width, 3)), layers, strides)


def _bottleneck(x, layers, inside, outside, strides, groups=1):
    y = layers.activate(layers.convolve(x, inside, 1), "block")
    y = layers.activate(layers.convolve(y, inside, 3, strides, groups))
    return _join(x, layers.normalize(layers.convolve(y, outside, 1)), layers, strides)


def _join(x, y, layers, strides):
    if x.shape[-1] != y.shape[-1] or strides > 1:
        x = layers.normalize(layers.convolve(x, y.shape[-1], 1, strides))
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))
