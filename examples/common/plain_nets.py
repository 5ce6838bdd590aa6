"""Nets without shortcuts: AlexNet and VGG, for pictures of 32x32 pixels."""

import keras

from common.layers import Layers

VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def alexnet(x, layers: Layers):
    """Makes five convolutions, each normalized, and three poolings.

    Args:
        x: pictures of shape `(batch, height, width, channels)`, 32x32 or larger.
        layers: makes convolutions and normalizations.

    Returns:
        A tensor of shape `(batch, height / 32, width / 32, 256)`.

    Source: Krizhevsky 2014, https://arxiv.org/abs/1404.5997, for small pictures as in
    https://github.com/bearpaw/pytorch-classification, which BIN's authors build upon, with a
    normalization after each convolution.
    """
    for filters, size, strides, pooled in (
        (64, 11, 4, True),
        (192, 5, 1, True),
        (384, 3, 1, False),
        (256, 3, 1, False),
        (256, 3, 1, True),
    ):
        x = layers.activate(layers.convolve(x, filters, size, strides, use_bias=True))
        if pooled:
            x = keras.layers.MaxPooling2D()(x)
    return x


def vgg(x, layers: Layers, depth: int):
    """Makes five stages of convolutions, each normalized, and a pooling after each stage.

    Args:
        x: pictures of shape `(batch, height, width, channels)`, 32x32 or larger.
        layers: makes convolutions and normalizations.
        depth: 11, 13, 16 or 19.

    Returns:
        A tensor of shape `(batch, height / 32, width / 32, 512)`.

    Raises:
        ValueError: there is no VGG of that depth.

    Source: Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, without the hidden dense
    layers, as in https://github.com/bearpaw/pytorch-classification.
    """
    if depth not in VGG_STAGES:
        raise ValueError(
            f"`depth` must be {', '.join(map(str, VGG_STAGES))}. Received: depth={depth!r}"
        )
    for filters, convolutions in zip((64, 128, 256, 512, 512), VGG_STAGES[depth], strict=True):
        for _ in range(convolutions):
            x = layers.activate(layers.convolve(x, filters, 3, use_bias=True))
        x = keras.layers.MaxPooling2D()(x)
    return x
