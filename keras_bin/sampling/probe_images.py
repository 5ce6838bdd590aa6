"""Probe images: constant, nearly constant or clipped, on which a fold may fail unnoticed."""

import keras
import numpy as np

from keras_bin.networks.signature import TensorInfo
from keras_bin.sampling.scaling import DEVIATION, MEAN, Scale, is_float

WHITE = 255
NEARLY = 1e-3
KINDS = ("zeros", "mean", "white", "nearly constant", "saturated")


def reads_pixels(layers: list[keras.layers.Layer]) -> bool:
    """Tells whether one of `layers` rescales values from 0 to 255 to about 1."""
    scales = [
        np.abs(np.asarray(layer.scale, "float64"))
        for layer in layers
        if isinstance(layer, keras.layers.Rescaling)
    ]
    return any(np.all((scale >= 1 / 256) & (scale <= 1 / 127)) for scale in scales)


def probe_image(
    rng: np.random.Generator, info: TensorInfo, shape: tuple, kind: str, scale: Scale, pixels: bool
) -> np.ndarray | None:
    """Returns a probe image of some kind, or None if the input can have none.

    - `"zeros"`: all 0; also for vectors of floats.
    - `"mean"`: in each channel the mean of the input.
    - `"white"`: all 255, for inputs that hold pixels.
    - `"nearly constant"`: the mean, with noise of a thousandth of the deviation.
    - `"saturated"`: noise, most of which is clipped.

    Args:
        rng: makes the noise.
        info: the input.
        shape: of the image, without the batch axis.
        kind: one of `KINDS`.
        scale: that of the input.
        pixels: whether floats are pixels from 0 to 255, as integers of 8 bits always are.
    """
    whole = info.dtype == "uint8"
    if not (whole or is_float(info.dtype)) or len(info.shape) < (2 if kind == "zeros" else 3):
        return None
    pixels = pixels or whole
    if kind == "white" and not pixels:
        return None
    mean, deviation = scale.mean, scale.deviation
    noise = rng.normal(0, 1, (1, *shape))
    values = {
        "zeros": 0.0,
        "mean": mean,
        "white": float(WHITE),
        "nearly constant": mean + NEARLY * deviation * noise,
        "saturated": mean + deviation * np.clip(3 * noise, -1, 1),
    }[kind]
    if whole and kind == "nearly constant":
        values = mean + (noise > 1)
    if pixels and kind == "saturated":
        values = np.clip(WHITE * (0.5 + noise), 0, WHITE)
    return np.broadcast_to(values, (1, *shape))[0].astype(info.dtype)


def default_scale(info: TensorInfo) -> Scale:
    """Returns the scale of an input for which none was found."""
    one = np.ones((1,) * len(info.shape))
    if info.dtype == "uint8":
        return Scale(128 * one, 64 * one)
    return Scale(MEAN * one, DEVIATION * one)
