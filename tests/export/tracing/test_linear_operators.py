"""Affine maps that linear operators absorb, and those that they leave, with the reason."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.export.tracing.graphs import absorbed, image, kinds, run, stacked
from tests.export.values import predict

BN = layers.BatchNormalization

ABSORBING = {
    "conv2d": ([layers.Conv2D(4, 3), BN()], (8, 9, 3), {"Conv2D": 1, "BiasAdd": 1}),
    "no bias": (
        [layers.Conv2D(4, 3, use_bias=False), BN()],
        (8, 9, 3),
        {"Conv2D": 1, "BiasAdd": 1},
    ),
    "two maps": ([layers.Conv2D(4, 3), BN(), BN()], (8, 9, 3), {"Conv2D": 1, "BiasAdd": 1}),
    "grouped": ([layers.Conv2D(4, 3, groups=2), BN()], (8, 9, 2), {"Conv2D": 1, "BiasAdd": 1}),
    "conv3d": ([layers.Conv3D(4, 2), BN()], (4, 5, 6, 3), {"Conv3D": 1, "BiasAdd": 1}),
    "dense": ([layers.Dense(4), BN()], (3,), {"MatMul": 1, "BiasAdd": 1}),
    "transposed": (
        [layers.Conv2DTranspose(4, 3, strides=2, use_bias=False), BN()],
        (8, 9, 3),
        {"Conv2DBackpropInput": 1, "BiasAdd": 1},
    ),
    "depthwise": (
        [layers.DepthwiseConv2D(3, depth_multiplier=2), BN()],
        (8, 9, 3),
        {"DepthwiseConv2dNative": 1, "BiasAdd": 1},
    ),
    "separable": (
        [layers.SeparableConv2D(4, 3), BN()],
        (8, 9, 3),
        {"DepthwiseConv2dNative": 1, "Conv2D": 1, "BiasAdd": 1},
    ),
    "dilated": (
        [layers.Conv2D(4, 3, dilation_rate=2, padding="same"), BN()],
        (8, 9, 3),
        {"SpaceToBatchND": 1, "Conv2D": 1, "BiasAdd": 1, "BatchToSpaceND": 1},
    ),
    "conv1d": (
        [layers.Conv1D(4, 3), BN()],
        (9, 3),
        {"ExpandDims": 1, "Conv2D": 1, "BiasAdd": 1, "Squeeze": 1},
    ),
    "channels first": (
        [layers.DepthwiseConv2D(3, data_format="channels_first"), BN(axis=1)],
        (3, 8, 9),
        {"DepthwiseConv2dNative": 1, "BiasAdd": 1},
    ),
    "permuted": (
        [layers.Conv2D(4, 3), layers.Permute((3, 1, 2)), BN(axis=1)],
        (8, 9, 3),
        {"Conv2D": 1, "BiasAdd": 1, "Transpose": 1},
    ),
    "scalars": (
        [layers.Conv2D(4, 3), layers.Lambda(lambda x: 2.0 - (x - 3.0) / 4.0 * 5.0)],
        (8, 9, 3),
        {"Conv2D": 1, "BiasAdd": 1},
    ),
    "rescaling": (
        [layers.Conv2D(4, 3), layers.Rescaling([1.0, 2, 3, 4], 0.5)],
        (8, 9, 3),
        {"Conv2D": 1, "BiasAdd": 1},
    ),
}


@pytest.mark.parametrize(("stack", "shape", "expected"), ABSORBING.values(), ids=ABSORBING)
def test_linear_operator_absorbs_what_follows(stack, shape, expected):
    model = stacked(*stack, shape=shape)
    graph, outcomes = absorbed(model)
    found = kinds(graph)
    if "Transpose" not in expected:  # some versions of Keras put them around channels-first layers
        found.pop("Transpose", None)
    if "Shape" in found:  # a transposed convolution computes the size of its output
        found = {op: found[op] for op in expected}
    assert found == expected
    assert not [outcome.reason for outcome in outcomes.values() if outcome.reason]
    x = image(3, *shape)
    (got,) = run(graph, x).values()
    # float32 rounding of values up to 20.
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("weights", "absorbs"), [((3, 4), True), ((5, 3, 4), False)], ids=["one", "one for each row"]
)
def test_product_of_batches_absorbs_if_it_has_one_kernel(weights, absorbs):
    values = np.random.default_rng(0).normal(size=weights).astype("float32")
    product = layers.Lambda(lambda x: tf.raw_ops.BatchMatMulV2(x=x, y=values))
    model = stacked(product, layers.Rescaling([1.0, 2, 3, 4], 0.5), shape=(5, 6, 3))
    graph, outcomes = absorbed(model)
    assert ("Mul" not in kinds(graph)) == absorbs
    assert all(bool(outcome.reason) != absorbs for outcome in outcomes.values())
    x = image(3, 5, 6, 3)
    (got,) = run(graph, x).values()
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=1e-4, atol=2e-5)


def test_dense_layer_on_images_absorbs():
    model = stacked(layers.Dense(4), BN(), shape=(5, 6, 3))
    graph, _ = absorbed(model)
    products = [kinds(graph).get(kind, 0) for kind in ("MatMul", "BatchMatMulV2")]
    assert sum(products) == kinds(graph)["BiasAdd"] == 1
    assert not {"AddV2", "Rsqrt"} & set(kinds(graph))
    x = image(3, 5, 6, 3)
    (got,) = run(graph, x).values()
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=1e-4, atol=2e-5)


def branched():
    """The output of a convolution is read twice."""
    inputs = keras.Input((8, 9, 3), name="image")
    x = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, BN()(x) + ops.relu(x))


def shared():
    """A convolution is called twice, and each result is normalized by a layer of its own."""
    inputs = keras.Input((8, 9, 3), name="image")
    conv = layers.Conv2D(4, 3)
    return keras.Model(inputs, BN()(conv(inputs)) * BN()(conv(ops.relu(inputs))))


def output_in_between():
    """The output of a convolution is an output of the model, too."""
    inputs = keras.Input((8, 9, 3), name="image")
    x = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, [x, BN()(x)])


def two_inputs():
    """A matrix product of two inputs has no weights."""
    inputs = keras.Input((4, 4), name="image")
    return keras.Model(inputs, BN()(ops.matmul(inputs, ops.relu(inputs))))


LEFT = {
    "input": (lambda: stacked(BN()), "its input is an input of the model"),
    "relu": (lambda: stacked(layers.Conv2D(4, 3), layers.ReLU(), BN()), "comes from Relu"),
    "branched": (branched, "is used elsewhere too"),
    "shared": (shared, "are used elsewhere too"),
    "output": (output_in_between, "is used elsewhere too"),
    "no weights": (two_inputs, "comes from|not constants"),
    "other axis": (
        lambda: stacked(layers.Conv2D(4, 3), BN(axis=1), shape=(8, 9, 3)),
        "not an affine map of the channels",
    ),
}


@pytest.mark.parametrize(("build", "reason"), LEFT.values(), ids=LEFT)
def test_what_cannot_be_absorbed_is_left_with_a_reason(build, reason):
    model = build()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    graph, outcomes = absorbed(model)
    left = [outcome.reason for outcome in outcomes.values() if outcome.reason]
    assert any(part in each for part in reason.split("|") for each in left), left
    x = image(2, *model.input_shape[1:])
    got = run(graph, x)
    for name, expected in zip(model.output_names, predict(model, [x]), strict=True):
        np.testing.assert_allclose(got[name], expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("value", [0.0, np.inf], ids=str)
def test_division_that_leaves_no_finite_weights_is_not_absorbed(value):
    model = stacked(layers.Conv2D(4, 3), layers.Lambda(lambda x: x / value))
    graph, _ = absorbed(model)
    assert kinds(graph)["RealDiv"] == 1
    x = image(2, 8, 9, 3)
    np.testing.assert_array_equal(run(graph, x).popitem()[1], predict(model, [x])[0])
