"""The residual nets that are trained with different normalizations."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

import keras_bin

NORMALIZATIONS = {
    "BN": (layers.BatchNormalization, keras.Model),
    "BIN": (keras_bin.BatchInstanceNormalization, keras_bin.BINModel),
}


def _convolve(x, filters, size, strides, normalization):
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    return normalization()(x)


def _basic_block(x, filters, strides, normalization):
    y = layers.ReLU()(_convolve(x, filters, 3, strides, normalization))
    y = _convolve(y, filters, 3, 1, normalization)
    if x.shape[-1] != filters:
        x = ops.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])])
    return layers.ReLU()(layers.Add()([x, y]))


def _bottleneck(x, filters, strides, normalization):
    y = layers.ReLU()(_convolve(x, filters, 1, strides, normalization))
    y = layers.ReLU()(_convolve(y, filters, 3, 1, normalization))
    y = _convolve(y, 4 * filters, 1, 1, normalization)
    if x.shape[-1] != 4 * filters:
        x = _convolve(x, 4 * filters, 1, strides, normalization)
    return layers.ReLU()(layers.Add()([x, y]))


def _cifar_stem(x, normalization):
    return layers.ReLU()(_convolve(x, 16, 3, 1, normalization))


def _imagenet_stem(x, normalization):
    x = layers.ReLU()(_convolve(x, 64, 7, 2, normalization))
    return layers.MaxPooling2D(3, 2, padding="same")(x)


class Net(NamedTuple):
    """A residual net and what it is trained on.

    Attributes:
        stem: makes the first activation from the images.
        block: makes a residual block.
        width: number of filters in the blocks of the first stage; each later stage doubles it.
        blocks: number of blocks in each stage.
        size: height and width of the images, which have three channels.
        classes: number of classes.
        batch: number of images in a step.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, sections 4.1 and 4.2.
    """

    stem: Callable
    block: Callable
    width: int
    blocks: tuple[int, ...]
    size: int
    classes: int
    batch: int

    def model(self, normalization: Callable, model_class: type[keras.Model]) -> keras.Model:
        """Builds the net, not compiled.

        Args:
            normalization: makes a normalization layer.
            model_class: `keras.Model` or a subclass.
        """
        inputs = keras.Input((self.size, self.size, 3), name="images")
        x = self.stem(inputs, normalization)
        for stage, blocks in enumerate(self.blocks):
            for index in range(blocks):
                strides = 2 if stage and not index else 1
                x = self.block(x, self.width << stage, strides, normalization)
        x = layers.GlobalAveragePooling2D()(x)
        return model_class(inputs, layers.Dense(self.classes, name="logits")(x))

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws the images of one step, and their labels."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal((self.batch, self.size, self.size, 3), np.float32)
        return images, rng.integers(self.classes, size=self.batch)


_cifar = functools.partial(Net, _cifar_stem, _basic_block, 16, size=32, classes=10)
_imagenet = functools.partial(Net, _imagenet_stem, _bottleneck, 64, classes=100)
NETS = {
    "ResNet-20": _cifar(blocks=(3, 3, 3), batch=128),
    "ResNet-50": _imagenet(blocks=(3, 4, 6, 3), size=112, batch=16),
    "ResNet-8": _cifar(blocks=(1, 1, 1), batch=4),
}


def compiled_model(net: str, normalization: str, jit_compile: bool = False) -> keras.Model:
    """Builds a net of `NETS` with one of `NORMALIZATIONS`, ready to train by SGD."""
    keras.utils.set_random_seed(0)
    model = NETS[net].model(*NORMALIZATIONS[normalization])
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    return model
