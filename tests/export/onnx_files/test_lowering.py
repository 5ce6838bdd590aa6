"""Statistics of a sample as ONNX operators: both lowerings, run by ONNX Runtime."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_bin.export import fold
from keras_bin.export.onnx_files.lowering import LOWERINGS, check_lowering
from keras_bin.export.onnx_files.writer import OPSETS
from testing import reference
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE, KINDS, bin_model
from tests.export.onnx_files.lowered import operators
from tests.export.values import arrays, layers_of, predict

OPERATORS = {
    "instance_normalization": {
        "Slice": 1,
        "Sub": 2,
        "InstanceNormalization": 1,
        "Mul": 1,
        "Add": 1,
    },
    "reduce_mean": {"Slice": 1, "ReduceMean": 2, "Sub": 3, "Mul": 3, "Sqrt": 1, "Div": 1, "Add": 5},
}
ONE_BRANCH = {
    "instance_normalization": {"Slice": 1, "Sub": 1, "InstanceNormalization": 1},
    "reduce_mean": {"Slice": 1, "ReduceMean": 2, "Sub": 2, "Mul": 2, "Sqrt": 1, "Div": 1, "Add": 2},
}


def weights_of(model):
    (layer,) = layers_of(model, BIN)
    return reference.Weights(*(np.float64(weight) for weight in layer.weights))


@pytest.mark.parametrize("rho", [0.0, None], ids=["zero", "mixed"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((9, 4), -1),
        ((4, 9), 1),
        ((8, 6, 3), -1),
        ((3, 8, 6), 1),
        ((8, 3, 6), 2),
        ((4, 3, 5, 2), -1),
        ((2, 4, 3, 5), 1),
        ((4, 3, 2, 5), -2),
    ],
    ids=str,
)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_operators_compute_the_formula(lowering, shape, axis, rho, lowered):
    model = bin_model(rho, shape, axis=axis, epsilon=0.01)
    _, run = lowered(model, lowering)
    (x,) = arrays(model, 3)
    expected = reference.forward(x, weights_of(model), axis, 0.01, training=False)
    # float32 against float64, values up to 10.
    np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_each_opset_has_the_same_operators_and_numbers(lowering, opset, lowered):
    model = bin_model(axis=1, shape=(3, 8, 6))
    proto, run = lowered(model, lowering, opset)
    assert operators(proto) == OPERATORS[lowering]
    assert proto.opset_import[0].version == opset
    (x,) = arrays(model, 3)
    expected = reference.forward(x, weights_of(model), 1, training=False)
    # float32 against float64, values up to 10.
    np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("rho", "settings", "expected"),
    [
        (0.0, {}, ONE_BRANCH),
        (1.0, {}, {lowering: {"Mul": 1, "Add": 1} for lowering in LOWERINGS}),
        (0.5, {"scale": False, "center": False}, OPERATORS),
    ],
    ids=["zero", "one", "no gamma and beta"],
)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_fewer_branches_need_fewer_operators(lowering, rho, settings, expected, lowered):
    model = bin_model(rho, (3, 8, 6), axis=1, **settings)
    assert operators(lowered(model, lowering)[0]) == expected[lowering]


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_layer_after_a_convolution_subtracts_no_mean(lowering, lowered):
    conv = layers.Conv2D(4, 3, data_format="channels_first")
    proto, _ = lowered(around(conv, BIN(axis=1), shape=(3, 8, 9)), lowering)
    expected = collections.Counter({"Conv": 1, **OPERATORS[lowering]})
    expected -= collections.Counter(Sub=1)
    assert operators(proto) == expected


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_sizes_stay_free(lowering, lowered):
    model = bin_model(shape=(None, None, 3))
    proto, run = lowered(model, lowering)
    assert "Shape" not in operators(proto)
    for batch, height, width in ((1, 5, 9), (4, 16, 3)):
        x = np.random.default_rng(batch).normal(1.5, 2, (batch, height, width, 3)).astype("float32")
        expected = reference.forward(x, weights_of(model), training=False)
        # float32 against float64, values up to 10.
        np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (300, 1), (1000, 1), (100, 0.01)])
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_digits_are_kept_far_from_zero(lowering, mean, deviation, lowered):
    """The running mean is subtracted first; otherwise the last cases would be off by 1e-4."""
    model = bin_model(0.5, (16, 16, 3))
    layer = model.get_layer("bin")
    layer.moving_mean.assign(deviation * np.array([-1.0, 0, 2]) + mean)
    layer.moving_variance.assign(np.full(3, deviation**2))
    x = np.random.default_rng(0).normal(mean, deviation, (4, 16, 16, 3)).astype("float32")
    expected = reference.forward(x, weights_of(model), training=False)
    # float32 against float64, values up to 5.
    np.testing.assert_allclose(lowered(model, lowering)[1](x), expected, rtol=0, atol=4e-6)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_masked_layer_is_traced_as_arithmetic(lowering, lowered):
    model = KINDS["mask_as_argument"]()
    proto, run = lowered(model, lowering)
    # The layer is called twice, once of these with a mask.
    kinds = operators(proto)
    assert kinds.get("InstanceNormalization", 0) == (lowering == "instance_normalization")
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


def test_check_of_a_users_own_becomes_an_identity(lowered):
    check = layers.Lambda(lambda x: tf.debugging.check_numerics(x, "keras_bin_call_7_"))
    model = around(layers.ReLU(), check, BIN())
    proto, run = lowered(model)
    assert operators(proto)["InstanceNormalization"] == 1
    assert "CheckNumerics" not in operators(proto)
    values = arrays(model, 3)
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_model_that_was_folded_before_is_lowered_too(lowering, lowered):
    model = bin_model(axis=1, shape=(3, 8, 6))
    assert operators(lowered(fold(model), lowering)[0]) == OPERATORS[lowering]


@pytest.mark.parametrize("value", [0.0, -37.3, 255.0, 1e4])
@pytest.mark.parametrize("size", [(8, 6), (224, 224)], ids=str)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_constant_image_leaves_beta_alone(lowering, size, value, lowered):
    """ONNX Runtime's InstanceNormalization of -37.3 at 224 x 224 would be 0.07."""
    model = bin_model(0.0, (*size, 3))
    _, run = lowered(model, lowering)
    x = np.full((2, *size, 3), value, "float32")
    beta = np.array(weights_of(model).beta)
    np.testing.assert_array_equal(run(x), np.broadcast_to(beta.astype("float32"), x.shape))


@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_transpose_of_the_model_itself_may_pass_the_statistics(lowering, opset, lowered):
    model = around(layers.Conv2D(4, 3), layers.Permute((3, 1, 2)), BIN(axis=1))
    _, run = lowered(model, lowering, opset)
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


def test_layer_inside_a_loop_is_lowered(lowered):
    model = KINDS["time_distributed"]()
    proto, run = lowered(model)
    assert operators(proto)["InstanceNormalization"] >= 1
    values = arrays(model, 3)
    np.testing.assert_allclose(run(*values), predict(model, values)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_integers_are_cast_to_the_dtype_of_the_layer(lowering, lowered):
    inputs = keras.Input(IMAGE, dtype="uint8")
    model = randomize(keras.Model(inputs, BIN()(inputs)))
    _, run = lowered(model, lowering)
    x = np.random.default_rng(0).integers(0, 256, (3, *IMAGE), "uint8")
    (expected,) = predict(model, [x])
    assert run(x).dtype == expected.dtype == "float32"
    # float32 rounding of values up to 300.
    np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=3e-4)


@pytest.mark.parametrize("lowering", ["InstanceNormalization", "", None, 1], ids=repr)
def test_unknown_lowering_is_refused(lowering):
    with pytest.raises(
        ValueError, match=r"one of \['instance_normalization', 'reduce_mean'\]"
    ) as e:
        check_lowering(lowering)
    assert str(e.value).endswith(f"lowering={lowering!r}")


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_known_lowering_is_taken(lowering):
    check_lowering(lowering)
