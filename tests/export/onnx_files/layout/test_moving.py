"""Small nets in which tf2onnx, on its own, leaves transposes inside."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_bin.export.onnx_files.layout.inner_transposes import inner_transposes
from keras_bin.export.onnx_files.layout.moving import move_transposes_out
from tests.export.onnx_files.converted import convert, run, spec


def squeeze_and_excite(x):
    """By dense layers, whose result has no spatial axes."""
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(x.shape[-1], activation="hard_sigmoid")(layers.Dense(4)(gate))
    return layers.Multiply()([x, layers.Reshape((1, 1, -1))(gate)])


def squeeze_and_excite_by_convolutions(x):
    gate = layers.Conv2D(4, 1, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.Multiply()([x, layers.Conv2D(8, 1)(gate) + 3.0])


def ghost(x):
    first = layers.Conv2D(8, 1, activation="relu")(x)
    return layers.Concatenate()([first, layers.DepthwiseConv2D(3, padding="same")(first)])


def cross_stage(x):
    first, second = ops.split(x, 2, axis=-1)
    return layers.Concatenate()([layers.Conv2D(4, 3, padding="same")(first), second])


MIDDLES = {
    "scalar": lambda x: x + 3.0,
    "difference": lambda x: 1.0 - x,
    "quotient": lambda x: x / (1.0 + x * x),
    "power": lambda x: x**3,
    "choice": lambda x: ops.where(x > 0, x, 0.1 * x),
    "sine": ops.sin,
    "softsign": layers.Activation("softsign"),
    "gelu": layers.Activation("gelu"),
    "approximate gelu": lambda x: keras.activations.gelu(x, approximate=True),
    "hard swish": layers.Activation("hard_swish"),
    "softmax": layers.Softmax(),
    "PReLU": layers.PReLU("ones"),
    "ReLU with a threshold": layers.ReLU(4.0, 0.1, 0.2),
    "squeeze and excite": squeeze_and_excite,
    "squeeze and excite by convolutions": squeeze_and_excite_by_convolutions,
    "ghost": ghost,
    "cross stage": cross_stage,
    "padding": layers.ZeroPadding2D(((0, 1), (1, 2))),
    "average pooling": layers.AveragePooling2D(3, 2, padding="same"),
    "bilinear": layers.UpSampling2D(interpolation="bilinear"),
}


def converted(model):
    """Returns the ONNX model, with few transposes, after a comparison with the Keras model."""
    x = np.random.default_rng(0).normal(size=(2, *model.input.shape[1:])).astype("float32")
    proto = move_transposes_out(convert(lambda x: model(x), spec(x, free=[0])))
    np.testing.assert_allclose(run(proto, x)[0], model(x), rtol=1e-4, atol=1e-5)
    return proto


@pytest.mark.parametrize("middle", MIDDLES.values(), ids=MIDDLES)
def test_no_transpose_stays_between_convolutions(middle):
    inputs = keras.Input((8, 8, 3))
    x = middle(layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs))
    proto = converted(keras.Model(inputs, layers.Conv2D(4, 3)(x)))
    transposes = [node for node in proto.graph.node if node.op_type == "Transpose"]
    assert len(transposes) == 2
    assert inner_transposes(proto) == 0


def test_pictures_may_be_scaled_before_the_first_convolution():
    inputs = keras.Input((8, 8, 3))
    x = layers.Rescaling([1.0, 2.0, 3.0], -1.0)(inputs)
    proto = converted(keras.Model(inputs, layers.Conv2D(4, 3)(layers.ZeroPadding2D()(x))))
    assert inner_transposes(proto) == 0
    assert proto.graph.node[0].op_type == "Transpose"


def test_heads_of_detectors_keep_the_transpose_that_orders_their_boxes():
    inputs = keras.Input((8, 8, 3))
    x = layers.Reshape((-1, 7))(layers.Conv2D(21, 1)(layers.Conv2D(8, 3)(inputs)))
    proto = converted(keras.Model(inputs, layers.Softmax()(x)))
    assert sum(node.op_type == "Transpose" for node in proto.graph.node) == 2
    assert inner_transposes(proto) == 0


def test_a_model_without_inner_transposes_is_returned_as_it_is():
    proto = convert(lambda x: tf.nn.relu(x), tf.TensorSpec([None, 3]))
    assert move_transposes_out(proto) is proto
