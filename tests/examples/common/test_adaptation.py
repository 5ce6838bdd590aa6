"""Domain adaptation: its batches and nets, and what the reversal changes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import adaptation
from common.adaptation import HALF_BATCH, adapt, batches, build_net, drawn_batches
from common.domains import Domains, Task
from common.gradient_reversal import ReversalSchedule, reversal_scale
from common.norms import NORMS
from common.progress import run_bars
from common.training import PARTS


@pytest.fixture
def task():
    """Black source pictures of the classes 1 to 9, white target pictures."""
    black, white = np.zeros((40, 8, 8, 3), "float32"), np.ones((30, 8, 8, 3), "float32")
    return Task(black, np.arange(40) % 9 + 1, white, *[None] * 4)


def first_batches(task, drawn):
    """Three batches, drawn by the number of a part, or out of a dataset."""
    if not drawn:
        return batches(task).take(3)
    made = drawn_batches(task, 0, 3)
    assert len(made) == 3
    return [made[index] for index in range(3)]


@pytest.mark.parametrize("drawn", [True, False])
def test_batches_weigh_the_classes_of_the_source_alone(task, drawn):
    for pictures, (classes, domain), weights in first_batches(task, drawn):
        assert pictures.shape == (2 * HALF_BATCH, 8, 8, 3)
        half = np.repeat([0.0, 1.0], HALF_BATCH)
        np.testing.assert_array_equal(pictures[:, 0, 0, 0], half)
        np.testing.assert_array_equal(domain[:, 0], half)
        np.testing.assert_array_equal(weights[0], 1 - half)
        np.testing.assert_array_equal(weights[1], 1)
        assert np.all(classes[:HALF_BATCH] > 0)
        np.testing.assert_array_equal(classes[HALF_BATCH:], 0)


@pytest.mark.parametrize("norm", ["BN", "BIN"])
def test_net_reads_classes_and_tells_domains_apart(norm):
    both, reader = build_net(NORMS[norm], 8, (8, 8, 3), 5)
    assert isinstance(both, NORMS[norm].model_class)
    pictures = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    classes, domain = both(pictures)
    assert (classes.shape, domain.shape) == ((2, 5), (2, 1))
    np.testing.assert_array_equal(reader(pictures), classes)


def test_features_unlearn_domains():
    """A step against its gradient helps the head to tell domains, but makes features alike."""
    both, _ = build_net(NORMS["BN"], 8, (8, 8, 3), 5)
    pictures = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
    is_target = np.array([[0.0], [0.0], [1.0], [1.0]], "float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def domain_loss():
        return loss(is_target, both(pictures, training=True)[1])

    for weight, falls in ((both.get_layer("domain").kernel, True), (both.weights[0], False)):
        with tf.GradientTape() as tape:
            before = domain_loss()
        gradient = tape.gradient(before, weight.value)
        step = 1e-3 * gradient / tf.norm(gradient)
        weight.assign_sub(step)
        assert bool(domain_loss() < before) is falls
        weight.assign_add(step)


@pytest.mark.parametrize("reversal", [True, False])
def test_domains_change_features_only_through_the_reversal(task, reversal, monkeypatch):
    """Two trainings whose batches differ in what they call the target, and in nothing else."""
    scales = []

    class Watched(ReversalSchedule):
        def on_train_batch_begin(self, batch, logs=None):
            super().on_train_batch_begin(batch, logs)
            scales.append(float(self._reversal.scale))

    def trained_weights(is_target):
        def one_batch(task):
            pictures = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
            domain = np.array(is_target, "float32")[:, np.newaxis]
            batch = (pictures, (np.arange(4), domain), (np.ones(4), np.ones(4)))
            return tf.data.Dataset.from_tensors(batch).repeat()

        def one_layer(pictures, layers, depth):
            return keras.layers.Conv2D(4, 3, activation="relu")(pictures)

        monkeypatch.setattr(adaptation, "batches", one_batch)
        monkeypatch.setattr(adaptation, "resnet", one_layer)
        monkeypatch.setattr(adaptation, "ReversalSchedule", Watched)
        domains = Domains((), None, classes=5, depth=8, steps=PARTS, caption="")
        with run_bars(1) as bars, bars.run("", PARTS) as bar:
            return adapt("BN", domains, task, 0, bar, reversal).get_weights()

    one, other = trained_weights([0, 0, 1, 1]), trained_weights([0, 1, 0, 1])
    same = [np.array_equal(a, b) for a, b in zip(one, other, strict=True)]
    assert all(same) is not reversal
    grown = [reversal_scale(step / PARTS) for step in range(PARTS)]
    assert scales == pytest.approx(2 * grown if reversal else [])


def test_stopped_adaptation_goes_on_and_ends_with_the_same_numbers(task, tmp_path, monkeypatch):
    class Stop(Exception):
        """What ends a training before its time."""

    class Stopping(ReversalSchedule):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            if epoch == 2:
                raise Stop

    def one_layer(pictures, layers, depth):
        return keras.layers.Conv2D(4, 3, activation="relu")(pictures)

    monkeypatch.setattr(adaptation, "resnet", one_layer)
    domains = Domains((), None, classes=10, depth=8, steps=2 * PARTS, caption="")

    def weights(folder):
        with run_bars(1) as bars, bars.run("", PARTS) as bar:
            return adapt("BN", domains, task, 0, bar, True, folder).get_weights()

    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "ReversalSchedule", Stopping)
        with pytest.raises(Stop):
            weights(tmp_path / "stopped")
    for one, other in zip(
        weights(tmp_path / "stopped"), weights(tmp_path / "straight"), strict=True
    ):
        np.testing.assert_array_equal(one, other)
