"""Residual nets of depth 6n + 2 for small pictures, with the widths of the authors of BIN."""

import keras

from common.layers import Layers
from common.norms import Norm

WIDTHS = (16, 32, 64)
EXPANSION = 4


def residual_features(x, layers: Layers, depth: int, bottleneck: bool | None = None):
    """Makes the residual trunk: a convolution, and three stages of `(depth - 2) / 6` blocks.

    Args:
        x: pictures of shape `(batch, height, width, channels)`.
        layers: makes convolutions and normalizations.
        depth: 6n + 2: 8, 14, 20, ... The depth counts two convolutions per block.
        bottleneck: whether a block is of three convolutions, 1x1, 3x3 and 1x1, with four times
            the width at its ends; by default so from depth 44.

    Returns:
        A tensor of shape `(batch, height / 4, width / 4, 64)`, or 256 channels of bottlenecks.

    Raises:
        ValueError: `depth` is not 6n + 2.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2, with a projection in
    every shortcut that changes shape, as in https://github.com/hyseob/Batch-Instance-Normalization.
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"`depth` must be 6n + 2: 8, 14, 20, ... Received: depth={depth!r}")
    block = _bottleneck if (depth >= 44 if bottleneck is None else bottleneck) else _basic_block
    x = keras.layers.ReLU()(layers.normalize(layers.convolve(x, WIDTHS[0], 3)))
    for stage, width in enumerate(WIDTHS):
        for number in range(blocks):
            x = block(x, layers, width, strides=2 if stage and not number else 1)
    return x


def build_resnet(
    norm: Norm,
    depth: int,
    shape: tuple[int, int, int],
    classes: int,
    weight_decay: float = 0.0,
    bottleneck: bool | None = None,
) -> keras.Model:
    """Builds a residual net that ends in logits, not compiled.

    Args:
        norm: makes the normalization layers.
        depth: 6n + 2, see `residual_features`.
        shape: height, width and channels of the pictures.
        classes: number of logits.
        weight_decay: see `Layers`.
        bottleneck: see `residual_features`.
    """
    layers = Layers(norm, weight_decay)
    pictures = keras.Input(shape, name="pictures")
    x = residual_features(pictures, layers, depth, bottleneck)
    return norm.model_class(pictures, layers.logits(x, classes))


def _basic_block(x, layers, width, strides):
    y = keras.layers.ReLU()(layers.normalize(layers.convolve(x, width, 3, strides)))
    y = layers.normalize(layers.convolve(y, width, 3))
    return _join(x, y, layers, strides)


def _bottleneck(x, layers, width, strides):
    y = keras.layers.ReLU()(layers.normalize(layers.convolve(x, width, 1)))
    y = keras.layers.ReLU()(layers.normalize(layers.convolve(y, width, 3, strides)))
    y = layers.normalize(layers.convolve(y, EXPANSION * width, 1))
    return _join(x, y, layers, strides)


def _join(x, y, layers, strides):
    if x.shape[-1] != y.shape[-1] or strides > 1:
        x = layers.normalize(layers.convolve(x, y.shape[-1], 1, strides))
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))
