"""Transposed convolutions of every kind of cropping and padding, compared with Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.export.onnx_files.converted import convert, kinds, run, spec
from tests.keras_versions import needs_keras

LAYERS = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
SIZES = pytest.mark.parametrize("free", [True, False], ids=["free", "static"])
PADDING = pytest.mark.parametrize("padding", ["same", "valid"])


def compare(layer, free, axes=2, opset=17):
    """Compares a layer with its conversion; returns the operators."""
    inputs = keras.Input([None if free else 5] * axes + [2])
    model = keras.Model(inputs, layer(inputs))
    x = np.random.default_rng(0).normal(size=[2, *[5] * axes, 2]).astype("float32")
    proto = convert(lambda x: model(x), tf.TensorSpec(model.input.shape), opset=opset)
    np.testing.assert_allclose(run(proto, x)[0], model(x), rtol=1e-5, atol=1e-5)
    return kinds(proto)


@SIZES
@PADDING
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("kernel", [1, 2, 4])
def test_bias_reaches_every_entry_in_one_operator(kernel, stride, padding, free):
    layer = layers.Conv2DTranspose(
        3, kernel, strides=stride, padding=padding, bias_initializer="ones"
    )
    assert compare(layer, free) == ["Transpose", "ConvTranspose", "Transpose"]


@SIZES
@PADDING
@pytest.mark.parametrize(
    "further", [pytest.param(0, marks=needs_keras("3.11", "refuses output_padding=0")), 1, 2]
)
def test_output_padding_is_at_the_far_end(further, padding, free):
    layer = layers.Conv2DTranspose(
        3, 5, strides=3, padding=padding, output_padding=further, bias_initializer="ones"
    )
    assert compare(layer, free) == ["Transpose", "ConvTranspose", "Transpose"]


@SIZES
@PADDING
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("axes", [1, 3])
def test_layers_of_other_ranks_are_right(axes, kernel, padding, free):
    layer = LAYERS[axes](3, kernel, strides=2, padding=padding, bias_initializer="ones")
    found = compare(layer, free, axes)
    assert {"Pad", "Slice", "Shape"}.isdisjoint(found)


@pytest.mark.parametrize("opset", [13, 18])
def test_layers_are_right_in_other_opsets(opset):
    compare(layers.Conv2DTranspose(3, 2, strides=3, bias_initializer="ones"), True, opset=opset)


@pytest.mark.parametrize("shift", [0.5, [0.5, -1.0, 2.0]], ids=["scalar", "vector"])
def test_what_is_added_afterwards_is_no_bias_of_other_channels(shift):
    """tf2onnx compares with the channels of the input instead of the number of filters."""
    inputs = keras.Input((None, None, 1))
    x = layers.Conv2DTranspose(3, 2, strides=3, use_bias=False)(inputs)
    model = keras.Model(inputs, x + np.array(shift, "float32"))
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 1)).astype("float32")
    proto = convert(lambda x: model(x), spec(x, free=[0, 1, 2]))
    np.testing.assert_allclose(run(proto, x)[0], model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("padding", "size"), [("SAME", 7), ("SAME", 8), ("VALID", 9)])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_size_may_be_that_of_another_tensor(bias, padding, size):
    rng = np.random.default_rng(0)
    kernel, x = (rng.normal(size=shape).astype("float32") for shape in ((3, 3, 4, 2), (2, 4, 4, 2)))
    other = np.zeros((2, size, size, 4), "float32")

    def upsample(x, other):
        y = tf.nn.conv2d_transpose(x, kernel, tf.shape(other), 2, padding)
        return tf.nn.bias_add(y, tf.range(4.0)) if bias else y

    proto = convert(upsample, spec(x, free=[0, 1, 2]), spec(other, free=[0, 1, 2]))
    np.testing.assert_allclose(run(proto, x, other)[0], upsample(x, other), rtol=1e-5, atol=1e-5)
