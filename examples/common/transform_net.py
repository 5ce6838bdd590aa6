"""A feed-forward net that redraws a photograph of any size in one style."""

import keras
from keras import ops

from common.norms import Norm

WIDTHS = (16, 32, 64)
BLOCKS = 3


@keras.saving.register_keras_serializable(package="keras_bin_examples")
class CropTo(keras.layers.Layer):
    """Cuts pictures to the height and width of others, at the bottom and on the right."""

    def call(self, pictures, like):
        """Returns `pictures` cropped to the height and width of `like`, which is not larger."""
        height, width = ops.shape(like)[1:3]
        return pictures[:, :height, :width]

    def compute_output_shape(self, pictures_shape, like_shape):
        """Takes height and width from `like`."""
        return (pictures_shape[0], *like_shape[1:3], pictures_shape[-1])


def build_transform_net(norm: Norm, widths=WIDTHS, blocks: int = BLOCKS) -> keras.Model:
    """Builds the net, not compiled.

    A 9x9 convolution, two of 3x3 that each halve the picture, residual blocks, two that each
    double it again by repeating pixels, and a 9x9 convolution to the colours. All but the last
    are normalized.

    Args:
        norm: makes the normalization layers.
        widths: channels at full, half and quarter size.
        blocks: number of residual blocks.

    Returns:
        A model from `photos` of shape `(batch, height, width, 3)`, RGB from 0 to 1, of any size of
        at least 5x5, to `stylized` photos of the same shape and range.

    Source: Johnson et al. 2016, https://arxiv.org/abs/1603.08155, and its supplement, which has
    widths of 32, 64 and 128, and five blocks. Repeated pixels instead of strided transposed
    convolutions, reflection at every convolution instead of only at the photograph's border, and
    a sigmoid instead of a scaled tanh are ours.
    """
    photos = keras.Input((None, None, 3), name="photos")
    full, half, quarter = widths
    x = _convolve(photos, norm, full, 9)
    x = _convolve(x, norm, half, 3, strides=2)
    x = _convolve(x, norm, quarter, 3, strides=2)
    for _ in range(blocks):
        y = _convolve(x, norm, quarter, 3)
        x = keras.layers.Add()([x, _convolve(y, norm, quarter, 3, relu=False)])
    x = _convolve(keras.layers.UpSampling2D()(x), norm, half, 3)
    x = _convolve(keras.layers.UpSampling2D()(x), norm, full, 3)
    x = keras.layers.Conv2D(3, 9, activation="sigmoid")(_reflect(x, 9))
    return norm.model_class(photos, CropTo(name="stylized")(x, photos))


def _convolve(x, norm, filters, size, strides=1, relu=True):
    x = keras.layers.Conv2D(filters, size, strides, use_bias=False)(_reflect(x, size))
    x = norm.layer(epsilon=1e-5)(x)
    return keras.layers.ReLU()(x) if relu else x


def _reflect(x, size):
    border = (size // 2, size // 2)
    return ops.pad(x, ((0, 0), border, border, (0, 0)), mode="reflect")
