"""Channels-first convolutions and pools give the same with their channels last."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.verifying.reference import Reference

FIRST = {"data_format": "channels_first"}
KINDS = {
    "convolution": lambda: layers.Conv2D(5, (3, 2), strides=(2, 1), padding="same", **FIRST),
    "dilated": lambda: layers.Conv2D(5, (3, 2), dilation_rate=(1, 2), **FIRST),
    "depthwise": lambda: layers.DepthwiseConv2D((3, 2), padding="same", **FIRST),
    "transposed": lambda: layers.Conv2DTranspose(5, (3, 2), strides=(2, 3), **FIRST),
    "maximum": lambda: layers.MaxPooling2D((3, 2), strides=(1, 2), **FIRST),
    "average": lambda: layers.AveragePooling2D((3, 2), padding="same", **FIRST),
    "volume": lambda: layers.Conv3D(5, (1, 3, 2), padding="same", **FIRST),
    "volume, average": lambda: layers.AveragePooling3D((1, 3, 2), **FIRST),
}


def swapped(layer, x):
    """Computes the same with the channels last, by a layer of the same weights."""
    options = {**layer.get_config(), "data_format": "channels_last"}
    other = type(layer).from_config(options)
    moved = np.moveaxis(x, 1, -1)
    other.build(moved.shape)
    other.set_weights(layer.get_weights())
    return np.moveaxis(np.asarray(other(moved)), -1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_first_runs_in_float64(kind):
    shape = (3, 2, 9, 8) if kind.startswith("volume") else (3, 9, 8)
    inputs = keras.Input(shape, name="x")
    layer = KINDS[kind]()
    model = keras.Model(inputs, {"y": layer(inputs)})
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    found = Reference(ExportedModel(model)).exact_function()({"x": x})["y"]
    assert found.dtype == "float64"
    np.testing.assert_allclose(found, swapped(layer, x), rtol=1e-5, atol=1e-6)
