"""Keras layers that absorb an affine map per channel into their weights.

`tracing.linear_operators` has the same rule for TensorFlow operators.
"""

import keras
import numpy as np
from keras import layers

from keras_bin.arrays import float64

_DENSE = (layers.Dense,)
_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
LINEAR = (*_DENSE, *_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE, *_TRANSPOSED)

# What a subclass may override to compute something else from the same weights.
_COMPUTING = ("call", "convolution_op", "kernel")


def refusal(layer: keras.layers.Layer, axis: int, shape: tuple[int | None, ...]) -> str:
    """Returns why `layer` cannot absorb an affine map of its output, or "" if it can.

    Args:
        layer: any layer.
        axis: the channel axis of the affine map.
        shape: shape of the layer's output, batch axis included.
    """
    rank = len(shape)
    kind = next((kind for kind in LINEAR if isinstance(layer, kind)), None)
    named = f"{type(layer).__name__} {layer.name!r}"
    if kind is None or not all(_inherits(layer, kind, name) for name in _COMPUTING):
        return f"the layer before, {named}, is not a convolution or dense layer of Keras"
    if layer.activation is not keras.activations.linear:
        return f"{named} has an activation"
    if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None):
        return f"the weights of {named} are low-rank adapted or quantized"
    if not layer.use_bias and type(layer) is not kind:
        return f"{named} has no bias, and its constructor may not accept one"
    channel = 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1
    if axis % rank != channel:
        return f"the channels of {named} are on axis {channel}, not {axis % rank}"
    # On TensorFlow, Keras 3.15 adds a bias to the last axis whenever the lengths agree.
    if channel != rank - 1 and shape[-1] in (shape[channel], None):
        long = "may be" if shape[-1] is None else "is"
        return f"Keras would add a bias to the last axis of {named}, which {long} as long as axis 1"
    return ""


def absorbed(
    layer: keras.layers.Layer, scale: np.ndarray, offset: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the weights, by attribute, that make `layer` compute `scale * layer(x) + offset`.

    Args:
        layer: a built layer, for which `refusal` returns "".
        scale: shape `(channels,)`, for the layer's output channels.
        offset: shape `(channels,)`.

    Returns:
        float64 arrays; `bias` is always among them.
    """
    bias = 0 if layer.bias is None else float64(layer.bias)
    weights = {"bias": scale * bias + offset}
    if isinstance(layer, _SEPARABLE):
        weights["depthwise_kernel"] = float64(layer.depthwise_kernel)
        weights["pointwise_kernel"] = float64(layer.pointwise_kernel) * scale
        return weights
    kernel = float64(layer.kernel)
    if isinstance(layer, _DEPTHWISE):
        scale = scale.reshape(kernel.shape[-2:])
    elif isinstance(layer, _TRANSPOSED):
        scale = scale[:, None]
    return {**weights, "kernel": kernel * scale}


def _inherits(layer, kind, name):
    return getattr(type(layer), name, None) is getattr(kind, name, None)
