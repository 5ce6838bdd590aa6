"""Each peer computes what it claims, or its time would mean nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.layer import training_function
from benchmarks.peers import MOMENTUM, OURS, TextbookBIN, build, draw
from benchmarks.tensorflow_peers import TRAINING, FusedBatchNormalization, OfficialBIN
from testing import reference
from tests import cases

SHAPE = (3, 5, 4, 6)
COUNT = 3 * 5 * 4  # elements of a channel


@pytest.fixture
def arrays():
    x, dy = cases.random_input(SHAPE), cases.random_input(SHAPE, seed=1)
    return x.astype("float32"), dy.astype("float32")


def results(layer, x, dy):
    """Returns y and the gradients by x and by the weights."""
    found = training_function(layer, jit_compile=False)(tf.constant(x), tf.constant(dy))
    return [each.numpy() for each in tf.nest.flatten(found)]


def layer_with(make, weights):
    layer = make()
    layer.build(SHAPE)
    layer.set_weights(weights)
    return layer


@pytest.mark.parametrize("make", [TextbookBIN, OfficialBIN])
def test_bin_peer_equals_the_oracle(make, arrays):
    weights = reference.random_weights(SHAPE[-1])
    layer = layer_with(make, list(weights))
    expected = [reference.forward(arrays[0], weights), *reference.backward(*arrays, weights)]
    for found, exact in zip(results(layer, *arrays), expected, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)
    moving = reference.moving_statistics(arrays[0], weights, momentum=MOMENTUM)
    for found, exact in zip(layer.non_trainable_variables, moving, strict=True):
        np.testing.assert_allclose(cases.numpy(found), exact, rtol=1e-5, atol=1e-5)


def test_fused_kernel_equals_batch_normalization(arrays):
    weights = [
        w for name, w in reference.random_weights(SHAPE[-1])._asdict().items() if name != "rho"
    ]
    fused = layer_with(FusedBatchNormalization, weights)
    plain = layer_with(keras.layers.BatchNormalization, weights)
    for found, expected in zip(results(fused, *arrays), results(plain, *arrays), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-5, atol=1e-5)
    # The kernel averages the unbiased variance.
    old = MOMENTUM * weights[-1]
    added = (cases.numpy(plain.moving_variance) - old) * COUNT / (COUNT - 1)
    np.testing.assert_allclose(fused.moving_variance, old + added, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TRAINING)
def test_peer_gives_the_same_with_xla(name, arrays):
    plain, xla = (
        training_function(build(TRAINING[name], SHAPE), jit)(*map(tf.constant, arrays))
        for jit in (False, True)
    )
    for found, expected in zip(tf.nest.flatten(xla), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_build_spreads_rho_over_the_channels():
    layer = build(TRAINING[OURS], SHAPE)
    np.testing.assert_allclose(layer.rho, [0, 0.2, 0.4, 0.6, 0.8, 1], rtol=0, atol=1e-6)


def test_drawn_arrays_are_float32_and_not_the_same():
    x, dy = draw(SHAPE)
    assert x.dtype == dy.dtype == np.float32
    assert x.shape == dy.shape == SHAPE
    assert np.abs(x - dy).max() > 0.1
