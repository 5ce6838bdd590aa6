"""Training and testing a classifier."""

import keras
import numpy as np
import pytest

from common.training import BATCH_SIZE, PARTS, accuracy, train, train_steps


class Steps(keras.callbacks.Callback):
    """Counts batches and epochs, and notes the learning rate after each batch."""

    def __init__(self):
        super().__init__()
        self.batches = self.epochs = 0
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch, logs=None):
        assert np.isfinite(logs["loss"])
        self.epochs += 1


def classifier():
    inputs = keras.Input((2, 2, 3))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


def pictures(size):
    drawn = np.random.default_rng(0).random((size, 2, 2, 3)).astype("float32")
    return drawn, (drawn.mean((1, 2, 3)) > 0.5).astype("int64")


def test_train_passes_over_the_pictures():
    callback = Steps()
    train(classifier(), *pictures(BATCH_SIZE + 1), 3, callback)
    assert (callback.batches, callback.epochs) == (6, 3)
    assert min(callback.rates[:-1]) > 0
    assert callback.rates[-1] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("resumable", [True, False])
@pytest.mark.parametrize("size", [5, 200])
def test_steps_do_not_depend_on_the_number_of_pictures(size, resumable, tmp_path):
    callback = Steps()
    folder = tmp_path if resumable else None
    train_steps(classifier(), *pictures(size), 2 * PARTS, callback, folder=folder)
    assert (callback.batches, callback.epochs) == (2 * PARTS, PARTS)
    assert min(callback.rates[:-1]) > 0
    assert callback.rates[-1] == pytest.approx(0, abs=1e-8)


def test_training_learns_and_repeats():
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        models.append(classifier())
        train_steps(models[-1], *pictures(64), 30 * PARTS, Steps())
    assert accuracy(models[0], *pictures(64)) > 90
    for first, second in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_accuracy_is_a_percentage_of_all_batches():
    model = classifier()
    model.layers[-1].set_weights([np.zeros((12, 2)), np.array([0.0, 1.0])])
    drawn, _ = pictures(300)
    labels = np.ones(300, "int64")
    labels[299] = labels[0] = labels[1] = 0
    assert accuracy(model, drawn, labels) == 99.0


def test_stopped_training_goes_on_and_ends_with_the_same_numbers(tmp_path):
    class Stop(Exception):
        """What ends a training before its time."""

    class Stopping(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise Stop

    def trained(folder, callback):
        keras.utils.set_random_seed(0)
        model = classifier()
        train_steps(model, *pictures(200), 2 * PARTS, callback, 3, folder)
        return model.get_weights()

    with pytest.raises(Stop):
        trained(tmp_path / "stopped", Stopping())
    callback = Steps()
    again, straight = trained(tmp_path / "stopped", callback), trained(tmp_path / "one", Steps())
    assert callback.epochs == PARTS - 2
    for one, other in zip(again, straight, strict=True):
        np.testing.assert_array_equal(one, other)
