"""InstanceNormalization in the form that suits a runtime, run by ONNX Runtime."""

import numpy as np
import pytest
from keras import layers

from keras_bin.runtimes import RUNTIMES
from testing import reference
from tests.export.custom_layers import around
from tests.export.kinds import BIN, bin_model
from tests.export.onnx_files.lowered import operators
from tests.export.values import arrays, layers_of, predict

WHOLE = {"Conv": 1, "Slice": 1, "Sub": 1, "InstanceNormalization": 1, "Mul": 1, "Add": 1}
GATHERED = {"Gather": 2, "Concat": 1}


@pytest.mark.parametrize(("ones", "gathers"), [(3, False), (4, True), (7, True)])
@pytest.mark.parametrize("axis", [1, -1], ids=["channels first", "channels last"])
def test_channels_that_the_layer_before_has_taken_are_left_out(ones, gathers, axis, lowered):
    """Sets some gates to 1; the others stay."""
    data_format = "channels_first" if axis == 1 else "channels_last"
    conv = layers.Conv2D(8, 3, data_format=data_format)
    model = around(conv, BIN(axis=axis), shape=(3, 6, 9) if axis == 1 else (6, 9, 3))
    (layer,) = layers_of(model, BIN)
    rho = np.linspace(0, 0.7, 8)
    rho[np.random.default_rng(1).permutation(8)[:ones]] = 1
    layer.rho.assign(rho)
    proto, run = lowered(model, runtime="onnxruntime")
    expected = {"Conv": 1, "InstanceNormalization": 1, "Mul": 1, "Add": 1, "Slice": 1, "Sub": 1}
    expected |= GATHERED if gathers else {}
    expected |= {"Transpose": 2} if axis == -1 else {}
    assert operators(proto) == expected
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


def test_gates_of_zero_and_one_leave_one_operator_for_the_zeros(lowered):
    model = around(layers.Conv2D(8, 3, data_format="channels_first"), BIN(axis=1), shape=(3, 6, 9))
    (layer,) = layers_of(model, BIN)
    layer.rho.assign([1, 1, 0, 1, 1, 1, 0, 1])
    proto, run = lowered(model, runtime="onnxruntime")
    assert operators(proto) == {
        "Conv": 1,
        "Slice": 1,
        "Sub": 1,
        "InstanceNormalization": 1,
        **GATHERED,
    }
    (normalization,) = [n for n in proto.graph.node if n.op_type == "InstanceNormalization"]
    sizes = {value.name: value.dims for value in proto.graph.initializer}
    assert list(sizes[normalization.input[1]]) == [2]
    values = arrays(model, 3)
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


def first_channels(channels, rho, shape=(3, 6, 9)):
    """A convolution and a BIN layer, channels first, with given gates."""
    conv = getattr(layers, f"Conv{len(shape) - 1}D")(channels, 3, data_format="channels_first")
    model = around(conv, BIN(axis=1), shape=shape)
    (layer,) = layers_of(model, BIN)
    layer.rho.assign(np.broadcast_to(rho, channels))
    return model


def assert_computed(model, run):
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rho", [0.0, 0.4, np.repeat([1.0, 0.5], 8)], ids=["0", "mixed", "half 1"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_computes_the_same(runtime, rho, lowered):
    model = first_channels(16, rho)
    _, run = lowered(model, runtime=runtime)
    assert_computed(model, run)


@pytest.mark.parametrize("runtime", [each for each in RUNTIMES if each != "onnxruntime"])
def test_channels_are_gathered_for_onnx_runtime_alone(runtime, lowered):
    model = first_channels(16, np.repeat([1.0, 0.5], [15, 1]))
    found = operators(lowered(model, runtime=runtime)[0])
    expected = dict(WHOLE)
    if runtime == "openvino":
        del expected["Slice"], expected["Sub"]
    assert found == expected


@pytest.mark.parametrize(
    ("rho", "expected"),
    [
        (0.4, {"Conv": 3, "Slice": 1, "Sub": 1, "InstanceNormalization": 1, "Add": 1}),
        (0.0, {"Conv": 2, "Slice": 1, "Sub": 1, "InstanceNormalization": 1}),
    ],
    ids=["mixed", "0"],
)
def test_convolutions_multiply_and_add_for_onnx_runtime(rho, expected, lowered):
    proto, _ = lowered(first_channels(16, rho), runtime="onnxruntime")
    assert operators(proto) == expected


@pytest.mark.parametrize(
    ("channels", "shape"), [(8, (3, 6, 9)), (16, (3, 9))], ids=["no whole block", "1-D"]
)
def test_convolutions_are_left_alone_where_they_would_not_be_in_blocks(channels, shape, lowered):
    model = first_channels(channels, 0.4, shape)
    proto, run = lowered(model, runtime="onnxruntime")
    assert operators(proto)["Conv"] == 1
    assert operators(proto)["Mul"] == 1
    assert_computed(model, run)


@pytest.mark.parametrize("rho", [0.0, 0.5], ids=["0", "mixed"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_large_running_mean_costs_no_digits(rho, runtime, lowered):
    """For OpenVINO, nothing else is subtracted."""
    model = bin_model(rho, (16, 16, 3))
    layer = model.get_layer("bin")
    layer.moving_mean.assign(np.array([999.0, 1000, 1002]))
    x = np.random.default_rng(0).normal(1000, 1, (4, 16, 16, 3)).astype("float32")
    weights = reference.Weights(*(np.float64(weight) for weight in layer.weights))
    expected = reference.forward(x, weights, training=False)
    # float32 against float64, values up to 5; without the subtraction it is 4e-5.
    np.testing.assert_allclose(lowered(model, runtime=runtime)[1](x), expected, rtol=0, atol=4e-6)


def test_constant_image_costs_digits_where_openvino_is_meant(lowered):
    """Its mean is summed up over 224x224 elements, and nothing of the image is subtracted first."""
    model = bin_model(0.0, (224, 224, 3), scale=False, center=False)
    model.get_layer("bin").moving_mean.assign(np.zeros(3))
    x = np.full((1, 224, 224, 3), -37.3, "float32")
    largest = {runtime: np.abs(lowered(model, runtime=runtime)[1](x)).max() for runtime in RUNTIMES}
    # Measured in ONNX Runtime; OpenVINO itself is at half of that.
    assert 0.01 < largest.pop("openvino") < 0.1
    assert set(largest.values()) == {0.0}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_runtime_gets_group_normalization(runtime, lowered):
    """Its variance, `mean(x**2) - mean(x)**2`, is wrong where the mean is large."""
    proto, _ = lowered(first_channels(16, 0.4), opset=18, runtime=runtime)
    assert "GroupNormalization" not in operators(proto)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_channels_last_net_has_the_same_forms(runtime, lowered):
    model = around(layers.Conv2D(16, 3), BIN(), layers.ReLU(), layers.Conv2D(4, 3), shape=(9, 8, 3))
    (layer,) = layers_of(model, BIN)
    layer.rho.assign(np.full(16, 0.4))
    proto, run = lowered(model, runtime=runtime)
    assert operators(proto)["Conv"] == (4 if runtime == "onnxruntime" else 2)
    assert operators(proto)["Transpose"] == 2  # at the edges
    assert_computed(model, run)
