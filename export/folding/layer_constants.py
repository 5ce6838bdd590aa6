"""The constants that normalization layers become at inference."""

from typing import Any

import keras
import numpy as np

from keras_bin.arrays import array, float64
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.layer import BatchInstanceNormalization

from ..models.rho_tolerance import snap
from .constants import Constants, bin_constants


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
        weights = {name: getattr(layer, name, None) for name in Constants._fields}
        values: dict[str, Any] = {
            name: None if weight is None else float64(weight) for name, weight in weights.items()
        }
        return Constants(**values)
    shape = layer.moving_mean.shape
    is_bin = isinstance(layer, BatchInstanceNormalization)
    try:
        return bin_constants(
            np.ones(shape) if layer.gamma is None else float64(layer.gamma),
            np.zeros(shape) if layer.beta is None else float64(layer.beta),
            snap(array(layer.rho), rho_tolerance).astype("float64") if is_bin else np.ones(shape),
            float64(layer.moving_mean),
            float64(layer.moving_variance),
            layer.epsilon,
        )
    except ValueError as error:
        raise ValueError(f"Layer {layer.path!r} cannot be folded. {error}") from error
