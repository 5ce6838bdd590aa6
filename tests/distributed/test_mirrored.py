"""BINModel under MirroredStrategy on two replicas."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from keras_bin.normalization import gradient, moments, moving_statistics
from keras_bin.normalization.replicas import sum_together
from testing.small_net import batch
from tests.distributed.training import bin_weights, build_net, cross_entropy, optimizer
from tests.keras_versions import REPORTS_OF_REPLICAS
from tests.replicas import two_replicas

CLOSE = {"rtol": 0, "atol": 1e-5}
LENGTH, CHANNELS = 6, 3


@pytest.fixture
def strategy():
    return two_replicas()


def compiled_net(synchronized, strategy=None):
    with (strategy or tf.distribute.get_strategy()).scope():
        net = build_net(synchronized)
        net.compile(optimizer(), cross_entropy(), metrics=["accuracy"])
    return net


def sequences(rows):
    """Returns sequences of 1 to 6 elements that count, and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(1, 2, (rows, LENGTH, CHANNELS)).astype("float32")
    for row, length in enumerate(rng.integers(1, LENGTH + 1, rows)):
        x[row, length:] = 0
    return x, np.arange(rows) % 3


def sequence_net(synchronized, masked):
    """Builds a net without convolutions: TensorFlow's for CPUs return a wrong shape for no rows."""
    inputs = x = keras.Input((LENGTH, CHANNELS))
    if masked:
        x = keras.layers.Masking()(x)
    x = keras_bin.BatchInstanceNormalization(synchronized=synchronized, name="bin")(x)
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Activation("gelu")(x))
    return keras_bin.BINModel(inputs, keras.layers.Dense(3)(x))


def assert_same_on_replicas(strategy, net):
    for weight in net.weights:
        first, second = strategy.experimental_local_results(weight.value)
        np.testing.assert_array_equal(first, second, err_msg=weight.path)
        assert np.isfinite(first).all(), weight.path


@contextlib.contextmanager
def counted_sums():
    """Yields how many tensors each sum over the replicas holds, of steps that are traced."""
    found = []

    def counted(values, replica_sum):
        values = list(values)
        found.append(len(values))
        return sum_together(values, replica_sum)

    with pytest.MonkeyPatch.context() as patch:
        for module in (moments, moving_statistics, gradient):
            patch.setattr(module, "sum_together", counted)
        yield found


@pytest.fixture
def sums():
    with counted_sums() as found:
        yield found


@pytest.fixture(scope="module")
def trained():
    """A strategy, a net that was trained on one device, one under the strategy, and its sums."""
    strategy = two_replicas()
    nets = [compiled_net(True), compiled_net(True, strategy)]
    with counted_sums() as found:
        for net in nets:
            net.fit(*batch(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    return strategy, nets, found


def test_synchronized_training_equals_that_of_one_device(trained):
    strategy, (alone, net), _ = trained
    np.testing.assert_allclose(bin_weights(net), bin_weights(alone), **CLOSE)
    assert_same_on_replicas(strategy, net)


@REPORTS_OF_REPLICAS
def test_its_logs_equal_those_of_one_device(trained):
    histories = [net.history.history for net in trained[1]]
    logs = [[history["loss"], history["accuracy"]] for history in histories]
    np.testing.assert_allclose(logs[1], logs[0], **CLOSE)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("synchronized", [False, True])
def test_empty_batch_on_one_replica_changes_nothing(strategy, synchronized, masked, tmp_path):
    """17 rows in batches of 8 leave one row to one replica and none to the other."""
    x, labels = sequences(17)
    with strategy.scope():
        net = sequence_net(synchronized, masked)
        net.compile(optimizer(), cross_entropy())
    losses = net.fit(x, labels, batch_size=8, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert_same_on_replicas(strategy, net)
    equal_rows = np.repeat(x[:1], 8, 0)
    np.testing.assert_allclose(np.ptp(net.predict(equal_rows, verbose=0), 0), 0, atol=1e-6)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    for weight, before in zip(loaded.weights, net.weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), net.predict(x, verbose=0), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("synchronized", [False, True])
def test_row_that_one_replica_gets_alone_counts_as_one(strategy, synchronized):
    """The layer comes first, so that its moving statistics are those of the inputs."""
    x, labels = sequences(17)
    with strategy.scope():
        net = sequence_net(synchronized, masked=False)
        net.compile(optimizer(), cross_entropy())
    net.fit(x, labels, batch_size=8, shuffle=False, verbose=0)
    moving = np.array([np.zeros(CHANNELS), np.ones(CHANNELS)])
    for rows in np.split(x.astype("float64"), [8, 16]):
        parts = [rows] if synchronized else [part for part in (rows[:4], rows[4:]) if len(part)]
        statistics = [[part.mean((0, 1)), part.var((0, 1))] for part in parts]
        moving = 0.99 * moving + 0.01 * np.average(statistics, 0, list(map(len, parts)))
    layer = net.get_layer("bin")
    np.testing.assert_allclose([layer.moving_mean, layer.moving_variance], moving, rtol=1e-5)


def test_first_batch_may_divide_unevenly(strategy):
    """Keras's own `fit` raises if a loss or metric is not built yet."""
    net = compiled_net(True, strategy)
    images, labels = batch()
    losses = net.fit(images[:7], labels[:7], batch_size=8, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert_same_on_replicas(strategy, net)


def test_moving_statistics_of_all_layers_travel_together_eagerly(strategy, sums):
    net = compiled_net(False, strategy)
    net.run_eagerly = True
    net.fit(*batch(), batch_size=16, verbose=0)
    assert sums == [6, 6]  # mean, variance and count of two layers, on two replicas
    assert_same_on_replicas(strategy, net)


def test_they_travel_together_in_a_graph_and_are_those_of_layers_that_travel_alone(strategy, sums):
    nets = [compiled_net(False, strategy) for _ in range(2)]
    loop = tf.function(lambda rows: strategy.run(lambda x: nets[1](x, training=True), (rows,)))
    images, labels = batch()
    rows = next(
        iter(
            strategy.experimental_distribute_dataset(
                tf.data.Dataset.from_tensor_slices(images).batch(16)
            )
        )
    )
    loop(rows)
    assert sums == [3] * 4
    nets[0].fit(images, labels, batch_size=16, shuffle=False, verbose=0)
    assert sums[4:] == [6, 6]
    assert_same_on_replicas(strategy, nets[0])
    for first, second in zip(*map(bin_weights, nets), strict=True):
        np.testing.assert_allclose(first[3:], second[3:], rtol=1e-6)


def test_synchronized_layer_needs_one_sum_forward_and_one_backward(trained):
    assert trained[2] == [3, 3, 3, 3, 2, 2, 2, 2]
