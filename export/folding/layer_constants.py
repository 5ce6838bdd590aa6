"""The constants that normalization layers leave behind at inference."""

import keras
import numpy as np

from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.layer import BatchInstanceNormalization

from ..models.rho_tolerance import snap
from .constants import Constants, fold_constants


def layer_constants(layer: keras.layers.Layer, rho_tolerance: float = 0.0) -> Constants:
    """Folds the running statistics of a layer, rho, gamma and beta into constants.

    Args:
        layer: a built BatchInstanceNormalization, FoldedBatchInstanceNormalization or
            `keras.layers.BatchNormalization`.
        rho_tolerance: see `fold`.

    Raises:
        ValueError: a weight is not finite, or a variance is negative; the message names the layer.
    """
    if isinstance(layer, FoldedBatchInstanceNormalization):
        names = ("scale", "offset", "instance_scale", "mean")
        return Constants(*(_float64(getattr(layer, name, None)) for name in names))
    shape = layer.moving_mean.shape
    is_bin = isinstance(layer, BatchInstanceNormalization)
    try:
        return fold_constants(
            np.ones(shape) if layer.gamma is None else _float64(layer.gamma),
            np.zeros(shape) if layer.beta is None else _float64(layer.beta),
            snap(_float64(layer.rho), rho_tolerance) if is_bin else np.ones(shape),
            _float64(layer.moving_mean),
            _float64(layer.moving_variance),
            layer.epsilon,
        )
    except ValueError as error:
        raise ValueError(f"Layer {layer.path!r} cannot be folded. {error}") from error


def _float64(variable):
    import tensorflow as tf

    if variable is None:
        return None
    with tf.init_scope():  # out of the function that is traced
        return keras.ops.convert_to_numpy(variable).astype("float64")
