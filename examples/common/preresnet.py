"""Nets that normalize before they convolve: PreResNet, WRN and DenseNet-BC, for small pictures."""

import keras

from common.layers import Layers
from common.resnet import EXPANSION, WIDTHS, count_blocks, is_bottleneck, stage_blocks


def preresnet(x, layers: Layers, depth: int):
    """Makes a convolution and three stages of `(depth - 2) / 6` residual blocks; ends activated.

    Args:
        x: pictures of shape `(batch, height, width, channels)`.
        layers: makes convolutions and normalizations.
        depth: 6n + 2, as of `common.resnet.resnet`.

    Returns:
        A tensor of shape `(batch, height / 4, width / 4, 64)`, or 256 channels from depth 44.

    Raises:
        ValueError: `depth` is not 6n + 2.

    Source: He et al. 2016, https://arxiv.org/abs/1603.05027.
    """
    blocks, bottleneck = count_blocks(depth, 6, 2), is_bottleneck(depth)
    x = layers.convolve(x, WIDTHS[0], 3)
    for width, strides in stage_blocks(blocks):
        y = layers.activate(x)
        if bottleneck:
            y = layers.activate(layers.convolve(y, width, 1))
            y = layers.activate(layers.convolve(y, width, 3, strides))
            y = layers.convolve(y, EXPANSION * width, 1)
        else:
            y = layers.activate(layers.convolve(y, width, 3, strides))
            y = layers.convolve(y, width, 3)
        x = keras.layers.Add()([_shortcut(x, x, y, layers, strides), y])
    return layers.activate(x)


def wide_resnet(x, layers: Layers, depth: int, widening: int):
    """Makes a convolution and three stages of `(depth - 4) / 6` wide blocks; ends activated.

    There is no dropout between the convolutions of a block.

    Args:
        x: pictures of shape `(batch, height, width, channels)`.
        layers: makes convolutions and normalizations.
        depth: 6n + 4: 10, 16, 22, 28, ...
        widening: width of the stages as a multiple of those of a PreResNet.

    Returns:
        A tensor of shape `(batch, height / 4, width / 4, 64 * widening)`.

    Raises:
        ValueError: `depth` is not 6n + 4.

    Source: Zagoruyko and Komodakis 2016, https://arxiv.org/abs/1605.07146.
    """
    blocks = count_blocks(depth, 6, 4)
    x = layers.convolve(x, WIDTHS[0], 3)
    for width, strides in stage_blocks(blocks):
        activated = layers.activate(x)
        y = layers.activate(layers.convolve(activated, widening * width, 3, strides))
        y = layers.convolve(y, widening * width, 3)
        x = keras.layers.Add()([_shortcut(x, activated, y, layers, strides), y])
    return layers.activate(x)


def densenet_bc(x, layers: Layers, depth: int, growth: int):
    """Makes three dense blocks of `(depth - 4) / 6` pairs of convolutions; ends activated.

    Between the blocks, half of the channels and a quarter of the pixels are left.

    Args:
        x: pictures of shape `(batch, height, width, channels)`.
        layers: makes convolutions and normalizations.
        depth: 6n + 4: 10, 16, 22, ..., 100, ...
        growth: channels that each pair adds.

    Returns:
        A tensor of shape `(batch, height / 4, width / 4, channels)`.

    Raises:
        ValueError: `depth` is not 6n + 4.

    Source: Huang et al. 2017, https://arxiv.org/abs/1608.06993.
    """
    pairs = count_blocks(depth, 6, 4)
    x = layers.convolve(x, 2 * growth, 3)
    for stage in range(3):
        if stage:
            x = layers.convolve(layers.activate(x), x.shape[-1] // 2, 1)
            x = keras.layers.AveragePooling2D(2)(x)
        for _ in range(pairs):
            y = layers.activate(layers.convolve(layers.activate(x), 4 * growth, 1))
            x = keras.layers.Concatenate()([x, layers.convolve(y, growth, 3)])
    return layers.activate(x)


def _shortcut(x, projected, y, layers, strides):
    """Returns `x`, or a projection of `projected` if `y` has another shape."""
    if x.shape[-1] == y.shape[-1] and strides == 1:
        return x
    return layers.convolve(projected, y.shape[-1], 1, strides)
