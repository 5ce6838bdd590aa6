"""Elementwise operators that tf2onnx does not know, or takes for the bias of a convolution."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.export.onnx_files.converted import convert, kinds, run, spec

X = np.linspace(-0.9, 6, 24, dtype="float32").reshape(2, 3, 4)


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (keras.activations.gelu, lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
        (ops.expm1, math.expm1),
        (ops.log1p, math.log1p),
        (keras.activations.celu, lambda x: x if x > 0 else math.expm1(x)),
        (lambda x: ops.logaddexp(x, 2 * x), lambda x: math.log(math.exp(x) + math.exp(2 * x))),
    ],
    ids=["gelu", "expm1", "log1p", "celu", "logaddexp"],
)
def test_functions_are_those_of_the_formula(function, exact, opset):
    proto = convert(function, spec(X, free=[0]), opset=opset)
    np.testing.assert_allclose(run(proto, X)[0], np.vectorize(exact)(X), rtol=1e-6, atol=2e-7)


@pytest.mark.parametrize(
    "value",
    [3.0, [3.0], np.arange(8.0)[:, None]],
    ids=["scalar", "of one value", "along the width"],
)
def test_what_is_added_is_no_bias_unless_it_is_one(value):
    """The number of columns is that of the filters."""
    rng = np.random.default_rng(0)
    x, first, second = (
        rng.normal(size=shape).astype("float32")
        for shape in ((2, 8, 8, 3), (1, 1, 3, 8), (3, 3, 8, 4))
    )

    def net(x):
        x = tf.add(tf.nn.conv2d(x, first, 1, "SAME"), np.array(value, "float32"))
        return tf.nn.conv2d(x, second, 1, "VALID")

    proto = convert(net, spec(x, free=[0]))
    np.testing.assert_allclose(run(proto, x)[0], net(x), rtol=1e-5, atol=1e-5)
    assert kinds(proto) == ["Transpose", "Conv", "Add", "Conv", "Transpose"]


def test_a_vector_that_is_added_becomes_the_bias():
    inputs = keras.Input((8, 8, 3))
    outputs = layers.Conv2D(8, 1, use_bias=False)(inputs) + np.arange(8, dtype="float32")
    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    proto = convert(lambda x: model(x), spec(x, free=[0]))
    np.testing.assert_allclose(run(proto, x)[0], model(x), rtol=1e-5, atol=1e-5)
    assert kinds(proto) == ["Transpose", "Conv", "Transpose"]
