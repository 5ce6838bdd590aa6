"""What becomes of each normalization layer, what the report says of it, and the same outputs."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import LayerFold, fold, fold_report
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE
from tests.export.values import arrays, layers_of, predict

BN = layers.BatchNormalization
# Both models compute in float64 on values up to about 10.
EXACT = {"rtol": 1e-12, "atol": 1e-12}
SMALL = {"weights": None, "input_shape": (32, 32, 3), "classes": 3, "classifier_activation": None}


def assert_exact(model, folded=None):
    """Compares a float64 model with what is folded from it."""
    values = arrays(model, 3)
    got = predict(fold(model) if folded is None else folded, values)
    for own, theirs in zip(got, predict(model, values), strict=True):
        assert own.dtype == theirs.dtype
        np.testing.assert_allclose(own, theirs, **EXACT)


def with_rho(model, *rhos):
    """Sets the gates of the BIN layers of a model, from input to output."""
    for layer, rho in zip(layers_of(model, BIN), rhos, strict=True):
        layer.rho.assign(np.broadcast_to(rho, layer.rho.shape))
    return model


def conv(**settings):
    return layers.Conv2D(4, 3, name="conv", **settings)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("stack", "shape"),
    [
        (lambda: [layers.Dense(5), BN(scale=False, name="n")], (7,)),
        (lambda: [layers.Dense(5, use_bias=False), BN(name="n")], IMAGE),
        (lambda: [conv(use_bias=False), BN(center=False, name="n")], IMAGE),
        (lambda: [layers.Conv1D(5, 3, padding="causal"), BN(name="n")], (9, 4)),
        (lambda: [layers.Conv3D(5, 2), BIN(name="n")], (5, 4, 6, 2)),
        (lambda: [layers.Conv2D(6, 3, groups=3), BN(name="n")], IMAGE),
        (lambda: [layers.DepthwiseConv2D(3, depth_multiplier=2), BN(name="n")], IMAGE),
        (lambda: [layers.SeparableConv2D(5, 3, use_bias=False), BIN(name="n")], IMAGE),
        (lambda: [layers.Conv2DTranspose(5, 3, strides=2), BIN(name="n")], IMAGE),
        (
            lambda: [
                conv(kernel_constraint="unit_norm", bias_constraint="non_neg"),
                BN(name="n"),
            ],
            IMAGE,
        ),
        (lambda: [conv(), BN(), layers.Dropout(0.5), BIN(name="n")], IMAGE),
    ],
    ids=[
        "vectors",
        "dense",
        "no center",
        "causal",
        "Conv3D",
        "groups",
        "depthwise",
        "separable",
        "transposed",
        "constraints",
        "chain",
    ],
)
def test_rho_one_vanishes_into_the_layer_before(stack, shape):
    model = around(*stack(), shape=shape)
    with_rho(model, *[1.0] * len(layers_of(model, BIN)))
    folded, report = fold(model), fold_report(model)
    assert {each.became for each in report} == {"absorbed"}
    assert {each.into for each in report} == {model.layers[1].path}
    assert {each.reason for each in report} == {""}
    assert not layers_of(folded, Folded)
    assert_exact(model, folded)
    assert folded.output_names == model.output_names == ["n"]


@pytest.mark.usefixtures("float64")
def test_absorbed_layer_that_is_no_output_leaves_nothing():
    model = around(conv(), BN(name="n"), layers.ReLU(name="relu"))
    assert [layer.name for layer in fold(model).layers[1:]] == ["conv", "relu"]
    assert_exact(model)


@pytest.mark.usefixtures("float64")
def test_convolution_and_its_absorbed_layer_as_outputs_keep_names_and_values():
    inputs = keras.Input(IMAGE)
    x = conv()(inputs)
    y = BN(name="b")(layers.Conv2D(3, 1, name="a")(x))
    model = randomize(keras.Model(inputs, {"x": x, "y": y, "again": y, "r": layers.ReLU()(y)}))
    folded = fold(model)
    assert list(folded.output) == list(model.output)
    assert [each.into for each in fold_report(model)] == ["a"]
    assert_exact(model, folded)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: around(BN()), "its input is an input of the model"),
        (lambda: around(BN(), shape=(7,)), "its input is an input of the model"),
        (lambda: around(conv(activation="relu"), BN()), "Conv2D 'conv' has an activation"),
        (lambda: around(conv(), BN(axis=1)), "the channels of Conv2D 'conv' are on axis 3, not 1"),
        (
            lambda: around(
                layers.Bidirectional(layers.GRU(3, return_sequences=True)), BN(), shape=(7, 4)
            ),
            "the layer before, Bidirectional 'bidirectional', is not a convolution",
        ),
        (
            lambda: around(conv(), keras.Sequential([keras.Input((6, 4, 4)), BN()])),
            "its input is an input of the model, or of the model that it is in",
        ),
    ],
    ids=["input", "vectors", "activation", "axis", "bidirectional", "nested"],
)
def test_affine_map_that_nothing_absorbs_stays_and_says_why(make, reason):
    model = make()
    (report,) = fold_report(model)
    assert (report.became, report.into) == ("affine map", None)
    assert report.reason.startswith(reason)
    folded = fold(model)
    (layer,) = layers_of(folded, Folded)
    assert [weight.name for weight in layer.weights] == ["scale", "offset"]
    assert not layers_of(folded, BN)
    assert_exact(model, folded)


@pytest.mark.parametrize(
    ("size", "became"), [(4, "affine map"), (5, "absorbed"), (None, "affine map")]
)
@pytest.mark.parametrize("normalization", [BN, BIN])
def test_convolution_whose_bias_keras_would_misplace_is_left_alone(normalization, size, became):
    """Channels first, and as wide as its channels are many, or free to be."""
    layer = layers.Conv2D(4, 1, data_format="channels_first", use_bias=False, name="conv")
    model = around(layer, normalization(axis=1, name="n"), shape=(3, 6, size))
    with_rho(model, *[1.0] * len(layers_of(model, BIN)))
    (report,) = fold_report(model)
    assert report.became == became
    assert ("Keras would add a bias" in report.reason) == (became == "affine map")
    values = arrays(model, 3, size=4)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(fold(model), values)[0], predict(model, values)[0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("rho", "became", "weights"),
    [
        (0.0, "instance normalization", ["offset", "instance_scale"]),
        (0.3, "batch-instance normalization", ["scale", "offset", "instance_scale"]),
        ((0, 0, 1, 0), "batch-instance normalization", ["scale", "offset", "instance_scale"]),
    ],
    ids=["zero", "between", "ends"],
)
def test_statistics_are_left_where_a_gate_is_below_one(rho, became, weights):
    model = with_rho(around(conv(use_bias=False), BIN(name="n")), rho)
    assert fold_report(model) == [LayerFold("n", "BatchInstanceNormalization", became, channels=4)]
    folded = fold(model)
    assert [weight.name for weight in folded.get_layer("n").weights] == weights
    # The convolution subtracts the running mean, so that one pass finds all statistics.
    mean = np.asarray(model.get_layer("n").moving_mean)
    below_one = np.broadcast_to(rho, 4) < 1
    bias = np.asarray(folded.get_layer("conv").bias)
    np.testing.assert_array_equal(bias[below_one], -mean[below_one])
    assert_exact(model, folded)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "make",
    [
        lambda **settings: layers.Dense(4, **settings),
        lambda **settings: layers.DepthwiseConv2D(3, depth_multiplier=2, **settings),
        lambda **settings: layers.SeparableConv2D(4, 3, **settings),
        lambda **settings: layers.Conv2DTranspose(4, 3, **settings),
    ],
    ids=["dense", "depthwise", "separable", "transposed"],
)
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
def test_running_mean_goes_into_the_bias_of_any_layer_before(use_bias, make):
    model = around(make(use_bias=use_bias), BIN(name="n"))
    folded = fold(model)
    assert "mean" not in [weight.name for weight in folded.get_layer("n").weights]
    assert_exact(model, folded)


@pytest.mark.usefixtures("float64")
def test_report_is_in_the_order_of_computation():
    inner = keras.Sequential([keras.Input(IMAGE), layers.Conv2D(3, 1, name="c1"), BN(name="n1")])
    inputs = keras.Input(IMAGE)
    x = BIN(name="n3")(layers.Conv2D(5, 3, name="c2")(BIN(name="n2")(inner(inputs))))
    model = with_rho(randomize(keras.Model(inputs, x)), 0.5, 1.0)
    found = [(each.layer, each.kind, each.became, each.into) for each in fold_report(model)]
    nested = inner.get_layer("c1").path
    assert sorted(found, key=lambda each: each[0][-1]) == [
        (inner.get_layer("n1").path, "BatchNormalization", "absorbed", nested),
        ("n2", "BatchInstanceNormalization", "batch-instance normalization", None),
        ("n3", "BatchInstanceNormalization", "absorbed", "c2"),
    ]
    assert_exact(model)


@pytest.mark.usefixtures("float64")
def test_chain_of_bin_layers_folds_up_to_the_first_with_statistics():
    model = around(conv(), BIN(name="a"), BN(name="b"), BIN(name="c"), BN(name="d"))
    with_rho(model, 1.0, 0.5)
    assert [(each.layer, each.became) for each in fold_report(model)] == [
        ("a", "absorbed"),
        ("b", "absorbed"),
        ("c", "batch-instance normalization"),
        ("d", "affine map"),
    ]
    assert_exact(model)


@pytest.mark.usefixtures("float64")
def test_low_rank_adapted_layer_absorbs_nothing():
    low_rank, inputs = layers.Dense(4, name="low"), keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BN(name="n")(low_rank(inputs))))
    low_rank.enable_lora(2)
    low_rank.lora_kernel_b.assign(np.ones(low_rank.lora_kernel_b.shape))
    (report,) = fold_report(model)
    assert report.reason == "the weights of Dense 'low' are low-rank adapted or quantized"
    assert_exact(model)


def test_quantized_model_folds_around_its_quantized_layers():
    model = around(layers.Dense(4, name="low"), BN(name="n"), layers.Dense(3, name="head"))
    for name in ("low", "head"):
        model.get_layer(name).quantize("int8")
    (report,) = fold_report(model)
    assert report.reason == "the weights of Dense 'low' are low-rank adapted or quantized"
    values = arrays(model, 3)
    # Rounding to 8 bits may fall to either side of a half, one step of 1 / 127 of the largest.
    np.testing.assert_allclose(
        predict(fold(model), values)[0], predict(model, values)[0], rtol=0, atol=0.05
    )


@pytest.mark.usefixtures("float64")
def test_models_of_several_inputs_and_outputs_fold():
    left, right = keras.Input(IMAGE, name="left"), keras.Input(IMAGE, name="right")
    x = BN(name="x")(layers.Conv2D(4, 3)(left))
    y = BIN(name="y")(layers.Conv2D(4, 3)(right))
    model = randomize(keras.Model([left, right], [layers.Add()([x, y]), y]))
    assert [each.became for each in fold_report(model)] == [
        "absorbed",
        "batch-instance normalization",
    ]
    assert_exact(model)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("make", "absorbed"),
    [
        (lambda: keras.applications.MobileNetV2(**SMALL), 52),
        (lambda: keras.applications.ResNet50(**SMALL), 53),
    ],
    ids=["MobileNetV2", "ResNet50"],
)
def test_every_batch_normalization_of_known_nets_is_absorbed(make, absorbed):
    model = randomize(make())
    report = fold_report(model)
    assert [each.reason for each in report if each.became != "absorbed"] == []
    assert len(report) == absorbed
    folded = fold(model)
    assert not layers_of(folded, Folded)
    assert not layers_of(folded, BN)
    values = arrays(model, 2)
    expected = predict(model, values)[0]
    np.testing.assert_allclose(predict(folded, values)[0], expected, rtol=1e-8, atol=1e-12)
