"""BatchInstanceNormalization on two replicas: whose statistics a replica uses."""

import numpy as np
import pytest
import tensorflow as tf

from testing import reference
from tests import cases
from tests.replicas import two_replicas

SHAPE = (8, 4, 3, 3)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture
def strategy():
    return two_replicas()


def replicated(strategy, x, split, mask=None, **kwargs):
    """Calls a layer in training with `x` split at `split` over two replicas.

    Returns outputs, gradients of `sum(y * cos(x))` by x, and the layer's moving statistics.
    """
    weights = reference.random_weights(SHAPE[-1])
    with strategy.scope():
        layer = cases.make_layer(weights, SHAPE, **kwargs)

    def value_of(array):
        parts = np.split(array, [split])
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def step(x, mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True, mask=mask)
            loss = tf.reduce_sum(y * tf.cos(tf.stop_gradient(x)))
        return y, tape.gradient(loss, x)

    @tf.function
    def run(x, mask):
        return strategy.run(step, (x, mask))

    y, dx = run(value_of(x), None if mask is None else value_of(mask))
    together = [np.concatenate(strategy.experimental_local_results(v)) for v in (y, dx)]
    return *together, np.array([layer.moving_mean, layer.moving_variance])


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("split", [4, 2], ids=["halves", "2 and 6"])
def test_synchronized_statistics_are_those_of_all_replicas(strategy, split, masked):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    mask = np.random.default_rng(0).uniform(size=SHAPE[:-1]) < 0.7 if masked else None
    y, dx, moving = replicated(strategy, x, split, mask, synchronized=True)
    np.testing.assert_allclose(y, reference.forward(x, weights, mask=mask), **CLOSE)
    expected = reference.backward(x, np.cos(x), weights, mask=mask)
    np.testing.assert_allclose(dx, expected.dx, **CLOSE)
    expected = reference.moving_statistics(x, weights, mask=mask)
    np.testing.assert_allclose(moving, expected, **CLOSE)


def test_unsynchronized_replicas_use_their_own_statistics(strategy):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    y, _, _ = replicated(strategy, x, 4)
    expected = [reference.forward(half, weights) for half in np.split(x, 2)]
    np.testing.assert_allclose(y, np.concatenate(expected), **CLOSE)


def test_synchronized_layer_works_without_a_strategy():
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    layer = cases.make_layer(weights, SHAPE, synchronized=True)
    y = layer(tf.constant(x), training=True)
    np.testing.assert_allclose(y, reference.forward(x, weights), **CLOSE)


def test_synchronized_layer_works_outside_of_its_replicas(strategy):
    """In a strategy's scope, but in none of its replicas, as when a model is summarized."""
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    with strategy.scope():
        layer = cases.make_layer(weights, SHAPE, synchronized=True)
        y = layer(tf.constant(x), training=True)
    np.testing.assert_allclose(y, reference.forward(x, weights), **CLOSE)
