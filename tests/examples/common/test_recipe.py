"""The recipe of BIN's authors: its schedule, and what a training by it returns."""

import keras
import numpy as np
import pytest

from common.recipe import drop_epoch, learning_rate, train
from common.recognition import load_digits


def test_learning_rate_drops_at_the_epochs_of_the_authors():
    rate = learning_rate(epochs=164, batches=391)
    for epoch, expected in (
        (0, 0.1),
        (80, 0.1),
        (81, 0.01),
        (121, 0.01),
        (122, 0.001),
        (163, 0.001),
    ):
        for step in (epoch * 391, epoch * 391 + 390):
            assert float(rate(step)) == pytest.approx(expected), (epoch, step)


def test_shorter_trainings_drop_at_the_same_parts():
    assert [drop_epoch(drop, 164) for drop in (81, 122)] == [81, 122]
    assert [drop_epoch(drop, 82) for drop in (81, 122)] == [40, 61]
    rate = learning_rate(epochs=4, batches=3)
    assert [round(float(rate(step)), 4) for step in range(12)] == [0.1] * 6 + [0.01] * 3 + [
        0.001
    ] * 3


def build():
    """Builds a net of one layer, quick to trace."""
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))


@pytest.fixture
def pictures():
    return load_digits().first(129)


def test_training_follows_the_schedule_and_has_an_accuracy_per_epoch(pictures):
    rates = []
    model = build()
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    accuracies = train(model, pictures, 3, 0, callback)
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert model.optimizer.momentum == 0.9
    assert {key: len(values) for key, values in accuracies.items()} == {
        "train_accuracy": 3,
        "test_accuracy": 3,
    }
    assert all(0 <= value <= 100 for values in accuracies.values() for value in values)


def test_a_training_repeats_with_its_seed(pictures):
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = build()
        train(model, pictures, 2, 0, keras.callbacks.Callback())
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
