"""How far a stylized photo is from the content of the photo and from a style, as VGG16 sees it."""

import contextlib
import socket
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

STYLE_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
CONTENT_LAYER = "block2_conv2"
CONTENT_INDEX = STYLE_LAYERS.index(CONTENT_LAYER)
RANDOM_SEED = 0
PATIENCE = 10  # seconds that a server may be silent before it counts as unreachable


class LossNet(NamedTuple):
    """VGG16 up to the features that are compared.

    Attributes:
        features: from RGB pictures of 0 to 1 to one map of features per layer of `STYLE_LAYERS`.
        content: the same up to the features of `CONTENT_LAYER`.
        weights: `"imagenet"` or `"random"`.
    """

    features: keras.Model
    content: keras.Model
    weights: str

    @property
    def statement(self) -> str:
        """Says where the weights come from."""
        if self.weights == "imagenet":
            return "the loss net is VGG16, trained on ImageNet"
        return (
            "ImageNet weights of VGG16 were out of reach: the loss net is VGG16 with random "
            f"weights (He normal, seed {RANDOM_SEED})"
        )


def load_loss_net() -> LossNet:
    """Loads VGG16 with ImageNet weights, or with random ones if those are unavailable.

    Features of random weights carry texture and style, too: He et al. 2016,
    https://arxiv.org/abs/1606.04801. The random weights are the same at every call.
    """
    try:
        with _silence_limited_to(PATIENCE):
            vgg, weights = keras.applications.VGG16(include_top=False), "imagenet"
    except Exception:  # Keras raises no specific class if a download fails
        vgg, weights = keras.applications.VGG16(include_top=False, weights=None), "random"
        _randomize(vgg)
    vgg.trainable = False
    maps = [vgg.get_layer(name).output for name in STYLE_LAYERS]
    return LossNet(_prepared(vgg, maps), _prepared(vgg, maps[CONTENT_INDEX]), weights)


def _prepared(vgg, outputs):
    pictures = keras.Input((None, None, 3))
    prepared = keras.applications.vgg16.preprocess_input(255.0 * pictures)
    return keras.Model(pictures, keras.Model(vgg.input, outputs)(prepared))


@contextlib.contextmanager
def _silence_limited_to(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _randomize(vgg):
    kernels = [layer.kernel for layer in vgg.layers if isinstance(layer, keras.layers.Conv2D)]
    for number, kernel in enumerate(kernels):
        kernel.assign(keras.initializers.HeNormal(RANDOM_SEED + number)(kernel.shape))


def gram(features):
    """Returns how channels correlate in each picture: the mean over places of their products.

    Args:
        features: shape `(batch, height, width, channels)`.

    Returns:
        A tensor of shape `(batch, channels, channels)`.
    """
    _, height, width, channels = ops.shape(features)
    flat = ops.reshape(features, (-1, height * width, channels))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / ops.cast(height * width, flat.dtype)


@keras.saving.register_keras_serializable(package="keras_bin_examples")
class PerceptualLoss(keras.layers.Layer):
    """Adds to the loss of a model how far stylized photos are from their content and a style.

    With the features `F` of a photo, `F'` of the stylized photo, and `S` of the style picture:

    - content: the mean of `(F' - F)**2` at `CONTENT_LAYER`, divided by the mean of `S**2`;
    - style: the mean of `(gram(F') - gram(S))**2`, divided by the mean of `gram(S)**2`, and
      averaged over `STYLE_LAYERS`.

    The loss is `content + style_weight * style`. The history of `fit` holds both parts, as
    `content` and `style`. Nothing in this layer learns.

    Args:
        loss_net: from `load_loss_net`.
        style: the style picture, shape `(height, width, 3)`, RGB from 0 to 1.
        style_weight: how much style counts beside content.

    Source: Johnson et al. 2016, https://arxiv.org/abs/1603.08155, section 3.2. The divisions are
    ours: with them, all layers have equal weight, and no weight depends on how VGG16 was trained.
        We leave out the total variation.
    """

    def __init__(self, loss_net: LossNet, style: np.ndarray, style_weight: float, **kwargs):
        super().__init__(**kwargs)
        self.style_weight = style_weight
        self._loss_net = loss_net
        features = loss_net.features(style[np.newaxis])
        self._content_scale = ops.mean(ops.square(features[CONTENT_INDEX]))
        self._grams = [gram(feature) for feature in features]
        self._content = keras.metrics.Mean("content")
        self._style = keras.metrics.Mean("style")

    def distances(self, photos, stylized):
        """Returns `(content, style)`, the means over a batch."""
        expected = self._loss_net.content(photos)
        features = self._loss_net.features(stylized)
        error = ops.mean(ops.square(features[CONTENT_INDEX] - expected))
        styles = [
            ops.mean(ops.square(gram(feature) - target)) / ops.mean(ops.square(target))
            for feature, target in zip(features, self._grams, strict=True)
        ]
        return error / self._content_scale, sum(styles) / len(styles)

    def call(self, photos, stylized):
        """Adds the loss, and returns `stylized` as it is."""
        content, style = self.distances(photos, stylized)
        self._content.update_state(content)
        self._style.update_state(style)
        self.add_loss(content + self.style_weight * style)
        return stylized
