"""An affine map per channel in the weights of the layer before it, and who cannot take it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export.folding.linear_layers import LINEAR, absorbed, refusal

# No output is as long as its channels are many.
SEQUENCE, IMAGE, VOLUME = (12, 4), (12, 11, 4), (6, 7, 8, 4)


def linear(layer_class, shape, *arguments, **settings):
    return lambda **bias: (layer_class(*arguments, **settings, **bias), shape)


# Kernels of all classes, and each setting that moves channels or borders.
MAKERS = {
    "Dense": linear(layers.Dense, IMAGE, 5),
    "Dense on vectors": linear(layers.Dense, (4,), 5),
    "Conv1D": linear(layers.Conv1D, SEQUENCE, 5, 3),
    "Conv1D causal dilated": linear(
        layers.Conv1D, SEQUENCE, 5, 3, padding="causal", dilation_rate=2
    ),
    "Conv2D": linear(layers.Conv2D, IMAGE, 5, 3, strides=2, padding="same"),
    "Conv2D groups": linear(layers.Conv2D, IMAGE, 6, 3, groups=2),
    "Conv2D dilated": linear(layers.Conv2D, IMAGE, 5, 3, dilation_rate=2),
    "Conv3D": linear(layers.Conv3D, VOLUME, 5, 2),
    "DepthwiseConv1D": linear(layers.DepthwiseConv1D, SEQUENCE, 3, depth_multiplier=3),
    "DepthwiseConv2D": linear(layers.DepthwiseConv2D, IMAGE, 3, depth_multiplier=2),
    "SeparableConv1D": linear(layers.SeparableConv1D, SEQUENCE, 5, 3, depth_multiplier=2),
    "SeparableConv2D": linear(layers.SeparableConv2D, IMAGE, 5, 3, depth_multiplier=2),
    "Conv1DTranspose": linear(layers.Conv1DTranspose, SEQUENCE, 5, 3, strides=2),
    "Conv2DTranspose": linear(layers.Conv2DTranspose, IMAGE, 5, 3, strides=2, padding="same"),
    "Conv3DTranspose": linear(layers.Conv3DTranspose, VOLUME, 5, 2, strides=2),
}


def built(layer, shape):
    """Builds a layer, with a bias away from 0."""
    layer.build((None, *shape))
    if layer.bias is not None:
        layer.bias.assign(np.random.default_rng(1).normal(2, 1, layer.bias.shape))
    return layer


def check_absorbed(layer, shape, axis=-1, tolerance=1e-12):
    """Compares a copy that has absorbed an affine map with the map after the layer."""
    rng = np.random.default_rng(0)
    x = rng.normal(1.5, 2, (3, *shape))
    y = ops.convert_to_numpy(layer(x))
    channels = y.shape[axis]
    scale, offset = rng.normal(1, 1, channels), rng.normal(-1, 2, channels)
    along = [-1 if i == axis % y.ndim else 1 for i in range(y.ndim)]
    copy = built(type(layer).from_config({**layer.get_config(), "use_bias": True}), shape)
    for variable in copy.weights:
        variable.assign(np.full(variable.shape, np.nan))
    for name, value in absorbed(layer, scale, offset).items():
        assert value.dtype == "float64"
        getattr(copy, name).assign(value)
    expected = y * scale.reshape(along) + offset.reshape(along)
    np.testing.assert_allclose(copy(x), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", MAKERS)
def test_weights_compute_the_map_of_the_output(name, use_bias):
    """In float64: sums of up to 50 products of values up to 10."""
    layer, shape = MAKERS[name](use_bias=use_bias)
    check_absorbed(built(layer, shape), shape)


def test_all_linear_layers_are_among_the_cases():
    assert {type(make()[0]) for make in MAKERS.values()} == set(LINEAR)


@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", [name for name in MAKERS if "Dense" not in name])
def test_channels_first_layer_computes_the_map_of_its_output(name, use_bias):
    """In float32, as TensorFlow has few such kernels for float64 on CPUs."""
    last, shape = MAKERS[name](use_bias=use_bias)
    config = {**last.get_config(), "data_format": "channels_first"}
    if config["padding"] == "causal":
        config["padding"] = "valid"
    shape = (shape[-1], *shape[:-1])
    layer = built(type(last).from_config(config), shape)
    # Sums of up to 50 products of values up to 10.
    check_absorbed(layer, shape, axis=1, tolerance=2e-5)


def test_float32_weights_are_scaled_in_float64():
    layer = built(layers.Dense(3, kernel_initializer="ones"), (2,))
    kernel = absorbed(layer, np.full(3, 1 + 2.0**-40), np.zeros(3))["kernel"]
    np.testing.assert_array_equal(kernel, 1 + 2.0**-40)


def test_source_is_left_alone():
    layer = built(layers.SeparableConv2D(5, 3), IMAGE)
    before = [np.array(value) for value in layer.get_weights()]
    for value in absorbed(layer, np.full(5, 3.0), np.ones(5)).values():
        value += 7
    for value, own in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(own, value)


class Doubled(layers.Conv2D):
    def call(self, inputs):
        return 2 * super().call(inputs)


class Standardized(layers.Conv2D):
    """Normalizes its kernel, which takes every factor out of it."""

    def convolution_op(self, inputs, kernel):
        kernel = kernel - ops.mean(kernel, (0, 1, 2), keepdims=True)
        return super().convolution_op(inputs, kernel / ops.std(kernel, (0, 1, 2)))


class Rounded(layers.Dense):
    @property
    def kernel(self):
        return ops.round(super().kernel)


class FewerArguments(layers.Conv2D):
    def __init__(self, filters, **kwargs):
        super().__init__(filters, 3, **kwargs)


class NoBias(layers.Conv2D):
    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(filters, kernel_size, **{**kwargs, "use_bias": False})


def low_rank():
    layer = built(layers.Dense(5), IMAGE)
    layer.enable_lora(2)
    return layer


def quantized():
    layer = built(layers.Dense(5), IMAGE)
    layer.quantize("int8")
    return layer


@pytest.mark.parametrize(
    ("make", "axis", "reason"),
    [
        (lambda: layers.ReLU(name="a"), -1, "the layer before, ReLU 'a', is not a convolution"),
        (
            lambda: Doubled(5, 3, name="a"),
            -1,
            "the layer before, Doubled 'a', is not a",
        ),
        (lambda: Standardized(5, 3, name="a"), -1, "the layer before, Standardized 'a', is not"),
        (
            lambda: Rounded(5, name="a"),
            -1,
            "the layer before, Rounded 'a', is not a",
        ),
        (
            lambda: layers.EinsumDense("abcd,de->abce", (None, None, 5), name="a"),
            -1,
            "the layer before, EinsumDense 'a', is not a convolution or dense layer of Keras",
        ),
        (
            lambda: layers.Conv2D(5, 3, activation="relu", name="a"),
            -1,
            "Conv2D 'a' has an activation",
        ),
        (
            lambda: layers.Dense(5, activation=lambda x: x, name="a"),
            -1,
            "Dense 'a' has an activation",
        ),
        (low_rank, -1, "the weights of Dense 'dense' are low-rank adapted or quantized"),
        (quantized, -1, "the weights of Dense 'dense' are low-rank adapted or quantized"),
        (
            lambda: layers.Conv2D(5, 3, name="a"),
            1,
            "the channels of Conv2D 'a' are on axis 3, not 1",
        ),
        (
            lambda: layers.Conv2D(5, 3, data_format="channels_first", name="a"),
            -1,
            "the channels of Conv2D 'a' are on axis 1, not 3",
        ),
        (lambda: layers.Dense(5, name="a"), 2, "the channels of Dense 'a' are on axis 3, not 2"),
        (
            lambda: NoBias(5, 3, name="a"),
            -1,
            "NoBias 'a' has no bias, and its constructor may not accept one",
        ),
    ],
    ids=[
        "other layer",
        "own call",
        "own convolution_op",
        "own kernel",
        "EinsumDense",
        "relu",
        "own linear function",
        "low rank",
        "quantized",
        "channels last",
        "channels first",
        "dense",
        "subclass without bias",
    ],
)
def test_layer_that_cannot_take_a_map_is_refused_with_its_reason(make, axis, reason):
    assert refusal(make(), axis, (None, 6, 7, 5)).startswith(reason)


def test_bias_that_keras_would_add_to_another_axis_is_refused():
    """Keras 3.15 on TensorFlow; where this fails, the refusal can go."""
    layer = layers.Conv2D(5, 1, data_format="channels_first", bias_initializer="normal", name="a")
    y = ops.convert_to_numpy(layer(np.zeros((1, 4, 3, 5))))
    np.testing.assert_array_equal(y, np.broadcast_to(layer.bias, y.shape))
    reason = "Keras would add a bias to the last axis of Conv2D 'a', which is as long as axis 1"
    assert refusal(layer, 1, y.shape) == reason
    assert refusal(layer, 1, (None, 5, 5, None)) == reason.replace(" is ", " may be ")
    assert refusal(layer, 1, (None, 5, None, 3)) == ""


@pytest.mark.parametrize(
    ("layer", "axis", "shape"),
    [
        (layers.Conv2D(5, 3, activation="linear"), -1, (None, 6, 7, 5)),
        (layers.Conv2D(5, 3), 3, (None, 6, 7, 5)),
        (layers.Conv2D(5, 3, data_format="channels_first"), 1, (None, 5, 6, 7)),
        (layers.Conv2D(5, 3, data_format="channels_first"), -3, (None, 5, 6, 7)),
        (layers.Conv1D(5, 3), 2, (None, 6, 5)),
        (layers.Dense(5), -1, (None, 5)),
        (FewerArguments(5), -1, (None, 6, 7, 5)),
        (layers.Conv2D(5, 3, kernel_constraint=keras.constraints.UnitNorm()), -1, (None, 6, 7, 5)),
    ],
    ids=[
        "linear",
        "last axis",
        "first axis",
        "first axis from the end",
        "rank 3",
        "rank 2",
        "subclass",
        "constraint",
    ],
)
def test_layer_that_can_take_a_map_is_not_refused(layer, axis, shape):
    assert refusal(layer, axis, shape) == ""
