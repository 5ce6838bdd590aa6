"""Training that goes on where it was: what is drawn, recorded, backed up and mended."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_bin
from common import resumable
from common.resumable import EpochBatches, recorded_seconds

EPOCHS, NUMBER, BATCH = 4, 10, 4


def draw(chosen, rng):
    means = chosen[:, np.newaxis, np.newaxis, np.newaxis]
    return rng.normal(means, 1, (len(chosen), 3, 3, 2)), chosen


def batches(seed=0):
    return EpochBatches(NUMBER, BATCH, seed, draw)


def epoch_of(made, epoch):
    made.epoch = epoch
    return [made[index] for index in range(len(made))]


def flat(drawn):
    return np.concatenate([pictures.ravel() for pictures, _ in drawn])


def test_epoch_has_every_example_once_in_an_order_of_its_own():
    orders = [np.concatenate([chosen for _, chosen in epoch_of(batches(), e)]) for e in (0, 1)]
    for order in orders:
        assert sorted(order) == list(range(NUMBER))
    assert list(orders[0]) != list(orders[1])
    assert [len(chosen) for _, chosen in epoch_of(batches(), 0)] == [4, 4, 2]


def test_drawing_follows_from_seed_and_epoch_alone():
    made = batches()
    first, second = epoch_of(made, 0), epoch_of(made, 1)
    np.testing.assert_array_equal(flat(first), flat(epoch_of(made, 0)))
    np.testing.assert_array_equal(flat(second), flat(epoch_of(batches(), 1)))
    assert np.any(flat(first) != flat(second))
    assert np.any(flat(first) != flat(epoch_of(batches(seed=1), 0)))


def test_every_batch_has_a_generator_of_its_own():
    """The generator of the order, (0, 0), is none of them."""
    made = EpochBatches(NUMBER, BATCH, 0, lambda chosen, rng: rng.random())
    drawn = [value for epoch in (0, 1) for value in epoch_of(made, epoch)]
    drawn.append(np.random.default_rng((0, 0)).random())
    assert len(set(drawn)) == 7


def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3, 3, 2))
    x = keras_bin.BatchInstanceNormalization()(keras.layers.Conv2D(3, 2)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    made = keras_bin.BINModel(inputs, keras.layers.Dense(NUMBER)(x))
    rate = keras.optimizers.schedules.CosineDecay(0.1, EPOCHS * 3)
    made.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return made


class Stop(Exception):
    """What ends a training before its time."""


class StopAfter(keras.callbacks.Callback):
    """Stops a training within an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch
        self._now = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self._now, batch) == (self._epoch, 1):
            raise Stop


def fit(folder, callbacks=(), **arguments):
    made = model()
    records = resumable.fit(made, batches(), EPOCHS, folder, callbacks, **arguments)
    return made, records


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A training without a stop: the model, and its records."""
    return fit(tmp_path_factory.mktemp("straight"))


def fit_and_note(folder):
    """Trains, and returns what `fit` does and the epochs that were begun."""
    begun = []
    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    return fit(folder, [note]), begun


def check_same(made, straight):
    model, records = made
    expected, all_records = straight
    for weight, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    for state, other in zip(model.optimizer.variables, expected.optimizer.variables, strict=True):
        np.testing.assert_array_equal(state, other)
    assert [record["loss"] for record in records] == [record["loss"] for record in all_records]


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_stopped_training_goes_on_and_ends_with_the_same_numbers(epoch, straight, tmp_path):
    with pytest.raises(Stop):
        fit(tmp_path, [StopAfter(epoch)])
    made, begun = fit_and_note(tmp_path)
    check_same(made, straight)
    assert begun == list(range(epoch, EPOCHS))


def test_finished_training_is_not_repeated(straight, tmp_path):
    fit(tmp_path)
    made, begun = fit_and_note(tmp_path)
    check_same(made, straight)
    assert begun == []


@pytest.fixture
def stopped(tmp_path):
    """The folder of a training that was stopped in its third epoch."""
    with pytest.raises(Stop):
        fit(tmp_path, [StopAfter(2)])
    return tmp_path


METADATA = "training_metadata.json"


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("content", ['{"epoch": 1, "batch": 0}', "", '{"epo'])
def test_kill_between_weights_and_epoch_is_mended(content, stopped, straight):
    """Keras writes the weights of epoch 2 before it writes that they are its."""
    path = stopped / "backup" / METADATA
    assert json.loads(path.read_text())["epoch"] == 2
    path.write_text(content)
    made, begun = fit_and_note(stopped)
    check_same(made, straight)
    assert begun == [2, 3]


@pytest.mark.parametrize("leave", [cut, Path.unlink], ids=["half written", "gone"])
def test_weights_of_the_epoch_before_take_the_place_of_the_last(leave, stopped, straight):
    leave(stopped / "backup" / "latest.weights.h5")
    made, begun = fit_and_note(stopped)
    check_same(made, straight)
    assert begun == [1, 2, 3]


@pytest.mark.parametrize("leave", [cut, Path.unlink], ids=["half written", "gone"])
def test_training_without_whole_weights_starts_anew(leave, tmp_path, straight):
    with pytest.raises(Stop):
        fit(tmp_path, [StopAfter(1)])
    leave(tmp_path / "backup" / "latest.weights.h5")
    made, begun = fit_and_note(tmp_path)
    check_same(made, straight)
    assert begun == [0, 1, 2, 3]


def test_records_hold_logs_what_was_measured_and_seconds(tmp_path):
    _, records = fit(tmp_path, measure=lambda model: {"steps": int(model.optimizer.iterations)})
    assert [record["steps"] for record in records] == [3, 6, 9, 12]
    assert all(set(record) == {"loss", "steps", "seconds"} for record in records)
    assert json.loads((tmp_path / "epochs.json").read_text()) == records
    assert recorded_seconds(tmp_path) == sum(record["seconds"] for record in records)
    assert recorded_seconds(tmp_path / "none") == 0


def test_loss_that_is_not_finite_is_recorded_as_none(tmp_path):
    def nan(model):
        model.layers[-1].bias.assign(np.full(NUMBER, np.nan))
        return {}

    _, records = fit(tmp_path, measure=nan)
    assert records[0]["loss"] > 0
    assert [record["loss"] for record in records[1:]] == [None] * 3
    assert "NaN" not in (tmp_path / "epochs.json").read_text()
