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
    return *together, moving_on_replicas(strategy, layer)


def moving_on_replicas(strategy, layer):
    """Returns moving mean and variance, after a check that they are equal on both replicas."""
    on_each = [
        strategy.experimental_local_results(variable.value)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]
    for first, second in on_each:
        np.testing.assert_array_equal(first, second)
    return np.array([first for first, _ in on_each])


def mask_of(kind):
    if kind == "whole":
        return None
    mask = np.random.default_rng(0).uniform(size=SHAPE[:-1]) < 0.7
    mask[:2] &= kind != "masked, and 2 rows empty"
    return mask


def average_of_parts(x, split, mask):
    """Returns moving statistics moved by those of both parts, weighted by their elements."""
    weights = reference.random_weights(SHAPE[-1])
    masks = [None] * 2 if mask is None else np.split(mask, [split])
    updated, counts = [], []
    for part, valid in zip(np.split(x, [split]), masks, strict=True):
        counts.append(part[..., 0].size if valid is None else valid.sum())
        updated.append(reference.moving_statistics(part, weights, mask=valid))
    return np.average(updated, 0, counts)


MASKS = ("whole", "masked", "masked, and 2 rows empty")
SPLITS = pytest.mark.parametrize(
    "split", [4, 2, 7, 0, 8], ids=["halves", "2 and 6", "7 and 1", "0 and 8", "8 and 0"]
)


@pytest.mark.parametrize("masked", MASKS)
@SPLITS
def test_synchronized_statistics_are_those_of_all_replicas(strategy, split, masked):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    mask = mask_of(masked)
    y, dx, moving = replicated(strategy, x, split, mask, synchronized=True)
    np.testing.assert_allclose(y, reference.forward(x, weights, mask=mask), **CLOSE)
    expected = reference.backward(x, np.cos(x), weights, mask=mask)
    np.testing.assert_allclose(dx, expected.dx, **CLOSE)
    expected = reference.moving_statistics(x, weights, mask=mask)
    np.testing.assert_allclose(moving, expected, **CLOSE)


@pytest.mark.parametrize("masked", MASKS)
@SPLITS
def test_unsynchronized_replicas_use_their_own_statistics_and_share_their_average(
    strategy, split, masked
):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    mask = mask_of(masked)
    masks = [None] * 2 if mask is None else np.split(mask, [split])
    y, _, moving = replicated(strategy, x, split, mask)
    parts = zip(np.split(x, [split]), masks, strict=True)
    expected = [reference.forward(part, weights, mask=valid) for part, valid in parts if len(part)]
    np.testing.assert_allclose(y, np.concatenate(expected), **CLOSE)
    np.testing.assert_allclose(moving, average_of_parts(x, split, mask), **CLOSE)


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize("nothing", ["no rows", "all masked"])
def test_empty_batch_on_all_replicas_changes_nothing(strategy, nothing, synchronized):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    x = x[:0] if nothing == "no rows" else x
    mask = np.zeros(x.shape[:-1], bool)
    for each in (None, mask) if nothing == "no rows" else (mask,):
        _, _, moving = replicated(strategy, x, len(x) // 2, each, synchronized=synchronized)
        np.testing.assert_array_equal(moving, np.asarray(weights[3:], "float32"))


@pytest.mark.parametrize("synchronized", [False, True])
def test_empty_batch_without_a_strategy_changes_nothing(synchronized):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    layer = cases.make_layer(weights, SHAPE, synchronized=synchronized)
    for rows, mask in ((x[:0], None), (x[:0], np.ones((0, 4, 3), bool)), (x, np.zeros((8, 4, 3)))):
        layer(rows, training=True, mask=mask)
    tf.function(
        lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None, *SHAPE[1:]])]
    )(x[:0])
    for variable, old in zip((layer.moving_mean, layer.moving_variance), weights[3:], strict=True):
        np.testing.assert_array_equal(variable, old.astype("float32"))


@pytest.mark.parametrize("synchronized", [False, True])
def test_empty_replica_leaves_gradients_finite(strategy, synchronized):
    """Keras's own layer turns gamma into NaN on all replicas."""
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    with strategy.scope():
        layer = cases.make_layer(weights, SHAPE, synchronized=synchronized)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) * tf.cos(x))
        gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
        return tf.distribute.get_replica_context().all_reduce("SUM", gradients)

    parts = x, x[:0]
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    gradients = tf.function(strategy.run)(step, (values,))
    expected = reference.backward(x, np.cos(x), weights)
    for found, by in zip(gradients, expected[1:], strict=True):
        for each in strategy.experimental_local_results(found):
            np.testing.assert_allclose(each, by, rtol=1e-4, atol=1e-4)


def test_replica_that_overflows_leaves_the_statistics_of_all_alone(strategy):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE).astype("float32")
    x[0, 0, 0, 1] = np.inf
    _, _, moving = replicated(strategy, x, 4)
    kept = np.asarray(weights[3:], "float32")
    np.testing.assert_array_equal(moving[:, 1], kept[:, 1])
    assert (moving[:, [0, 2]] != kept[:, [0, 2]]).all()


def test_layer_in_a_loop_keeps_each_replicas_own_statistics(strategy):
    """TensorFlow cannot sum over replicas from inside a loop's graph."""
    x = cases.random_input(SHAPE).astype("float32")
    with strategy.scope():
        layer = cases.make_layer(reference.random_weights(SHAPE[-1]), SHAPE)

    def step(x):
        return tf.while_loop(
            lambda i, _: i < 2, lambda i, y: (i + 1, layer(y, training=True)), (0, x)
        )[1]

    parts = np.split(x, 2)
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    with pytest.warns(UserWarning, match="each replica keeps moving statistics of its own"):
        tf.function(strategy.run)(step, (values,))
    first, second = strategy.experimental_local_results(layer.moving_mean.value)
    assert np.isfinite(first).all()
    assert (first.numpy() != second.numpy()).any()


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
