"""Whole nets of kinds that used to keep transposes inside, exported and verified."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers, ops

from keras_bin import BatchInstanceNormalization as BIN
from keras_bin.export import export_onnx


def causal_residual_net(length):
    """A temporal convolutional net."""
    x = inputs = keras.Input((length, 4), name="x")
    skips = []
    for dilation in (1, 2, 4):
        y = x
        for _ in range(2):
            y = layers.Conv1D(8, 3, padding="causal", dilation_rate=dilation)(y)
            y = layers.Activation("relu")(layers.BatchNormalization()(y))
        skips.append(y)
        x = layers.Activation("relu")(layers.Conv1D(8, 1)(x) + y)
    return keras.Model(inputs, layers.Dense(2)(layers.Add()(skips)))


def dilated_same_net(length):
    """A residual net with preactivation, as used for genomes."""
    inputs = keras.Input((length, 4), name="x")
    x = layers.Conv1D(8, 1)(inputs)
    for dilation in (1, 4):
        y = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = x + layers.Conv1D(8, 5, padding="same", dilation_rate=dilation)(y)
    return keras.Model(inputs, layers.Conv1D(3, 1, activation="softmax")(x[:, 8:-8]))


def pooled_net(length):
    inputs = keras.Input((length, 4), name="x")
    x = layers.Conv1D(8, 5, strides=2, padding="same", activation="gelu")(inputs)
    first = layers.MaxPooling1D(3, 1, padding="same")(x)
    second = layers.AveragePooling1D(3, 1, padding="same")(x)
    x = layers.Concatenate()([first, second, layers.DepthwiseConv1D(3, padding="same")(x)])
    x = layers.Conv1D(8, 3, groups=2)(layers.ZeroPadding1D((1, 2))(x))
    x = layers.Conv1D(8, 3)(BIN(rho_initializer="zeros")(layers.PReLU(shared_axes=[1])(x)))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def layer_normalized_net(length):
    x = inputs = keras.Input((length, 4), name="x")
    for _ in range(2):
        y = layers.LayerNormalization()(layers.Conv1D(8, 3, padding="same")(x))
        x = layers.Conv1D(8, 1)(x) + layers.Activation("relu")(y)
    return keras.Model(inputs, layers.Conv1D(2, 1)(x))


def up_and_down_net(length):
    """A U-Net of series."""
    inputs = keras.Input((length, 4), name="x")
    first = layers.Conv1D(8, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv1D(8, 3, strides=2, padding="same", activation="relu")(first)
    x = layers.Conv1DTranspose(8, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, first])
    return keras.Model(inputs, layers.Conv1D(2, 3, padding="same")(x))


def dilated_picture_net(size):
    x = inputs = keras.Input((size, size, 3), name="x")
    for padding in ("same", "valid"):
        x = layers.Conv2D(8, 3, dilation_rate=2, padding=padding, use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, dilation_rate=3, padding="same")(x)
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


def attention_net(size):
    """Attention over the pixels of an image, between convolutions."""
    inputs = keras.Input((size, size, 3), name="x")
    x = layers.Conv2D(8, 3, 2, padding="same", activation="silu")(inputs)
    y = layers.LayerNormalization()(layers.Reshape((-1, 8))(x))
    y = layers.MultiHeadAttention(2, 4)(y, y)
    x = x + layers.Reshape(x.shape[1:])(y)
    return keras.Model(inputs, layers.Conv2D(4, 3)(x + 3.0))


def detector(size):
    """Upsampling, concatenation, and a head for each of two levels."""
    inputs = keras.Input((size, size, 3), name="x")
    fine = layers.Conv2D(8, 3, 2, padding="same", activation="silu")(inputs)
    coarse = layers.Conv2D(8, 3, 2, padding="same", activation="silu")(fine)
    both = layers.Concatenate()([layers.UpSampling2D()(coarse), fine])
    fine = layers.Conv2D(8, 3, padding="same", activation="silu")(both)
    heads = [layers.Conv2D(10, 1)(x) for x in (fine, coarse)]
    boxes = layers.Concatenate(axis=1)([layers.Reshape((-1, 10))(x) for x in heads])
    return keras.Model(inputs, boxes)


def generator(size):
    inputs = keras.Input((6,), name="x")
    x = layers.Reshape((size, size, 8))(layers.Dense(size * size * 8)(inputs))
    for filters in (8, 4):
        x = layers.Conv2DTranspose(filters, 4, 2, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


def gated_net(size):
    """A gate computed from all pixels, and a choice between two branches."""
    inputs = keras.Input((size, size, 3), name="x")
    x = layers.Conv2D(8, 3, padding="same")(inputs)
    gate = layers.Dense(8, "sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = ops.where(x > 0, x, 0.1 * x) * layers.Reshape((1, 1, 8))(gate)
    x = ops.softmax(x, axis=-1) - ops.mean(x, axis=-1, keepdims=True)
    return keras.Model(inputs, layers.Conv2D(2, 3)(x))


NETS = {
    "causal": (causal_residual_net, 32),
    "causal, free": (causal_residual_net, None),
    "dilated": (dilated_same_net, 40),
    "dilated, free": (dilated_same_net, None),
    "pooled": (pooled_net, 32),
    "pooled, free": (pooled_net, None),
    "layer normalized": (layer_normalized_net, 32),
    "layer normalized, free": (layer_normalized_net, None),
    "up and down": (up_and_down_net, 32),
    "up and down, free": (up_and_down_net, None),
    "dilated pictures": (dilated_picture_net, 20),
    "dilated pictures, free": (dilated_picture_net, None),
    "attention": (attention_net, 16),
    "detector": (detector, 16),
    "generator": (generator, 4),
    "gated": (gated_net, 16),
    "gated, free": (gated_net, None),
}


def trained(model):
    """Gives all weights values other than 0 and 1."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        low, high = (0.5, 1.5) if "variance" in weight.path else (-0.5, 0.5)
        if "rho" not in weight.path:
            weight.assign(rng.uniform(low, high, weight.shape))
    return model


@pytest.mark.parametrize(("build", "size"), NETS.values(), ids=NETS)
def test_no_transpose_is_left_inside(build, size, tmp_path):
    model = trained(build(size))
    report = export_onnx(model, tmp_path / "model.onnx")
    assert report.inner_transposes == 0
    session = onnxruntime.InferenceSession(report.path)
    x = np.random.default_rng(1).normal(
        size=(3, *(each or 44 + 2 * axis for axis, each in enumerate(model.inputs[0].shape[1:])))
    )
    (got,) = session.run(None, {"x": x.astype("float32")})
    np.testing.assert_allclose(got, model(x.astype("float32")), rtol=1e-4, atol=1e-4)


def test_outputs_that_are_one_another_in_other_orders_have_nodes_of_their_own(tmp_path):
    inputs = keras.Input((2, 1), name="x")
    y = layers.Reshape((2, 1))(inputs)
    z = layers.Permute((2, 1))(ops.concatenate([y, inputs, y], -1))
    model = keras.Model(inputs, [y, z])
    session = onnxruntime.InferenceSession(export_onnx(model, tmp_path / "model.onnx").path)
    x = np.float32([[[1], [2]]])
    got = session.run(None, {"x": x})
    np.testing.assert_array_equal(got[1], [[[1, 2]] * 3])


@pytest.mark.parametrize("length", [32, None], ids=["fixed", "free"])
@pytest.mark.parametrize("build", [causal_residual_net, dilated_same_net])
def test_series_are_computed_as_pictures_of_one_row(build, length, tmp_path):
    path = export_onnx(trained(build(length)), tmp_path / "model.onnx").path
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("Squeeze") == kinds.count("Unsqueeze") == 1
    assert kinds.count("Transpose") == 2
