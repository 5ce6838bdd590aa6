"""Training on garments: schedules, what is measured, and nets that start alike."""

import keras
import numpy as np
import pytest

import keras_bin
from common.norms import ALL_NORMS
from common.progress import run_bars
from fashion import training
from fashion.training import SCHEDULES, Labelled, Recipe, Task, build

STEPS = 100
RESNET_8 = Recipe("resnet-8", epochs=2, batch_size=8)


def rates(name):
    made = SCHEDULES[name](0.1, STEPS)
    if not callable(made):
        return [made] * STEPS
    return [float(made(step)) for step in range(STEPS)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_starts_at_its_rate_and_never_rises(name):
    values = rates(name)
    assert values[0] == pytest.approx(0.1)
    assert np.all(np.diff(values) <= 1e-9)


def test_schedules_end_where_they_say():
    assert rates("cosine")[-1] < 1e-4
    assert rates("cosine")[50] == pytest.approx(0.05)
    assert rates("constant")[-1] == 0.1
    values = rates("steps")
    assert [values[50], values[51]] == pytest.approx([0.1, 0.01])
    assert [values[75], values[76]] == pytest.approx([0.01, 0.001])


@pytest.fixture(scope="module")
def task():
    """Four classes of pictures, each with a bright row of its own."""
    labels = np.arange(24) % 4
    pictures = np.random.default_rng(0).random((24, 28, 28, 3), "float32") / 4
    pictures[np.arange(24), 6 * labels + 4] = 1
    tests = {name: Labelled(pictures, labels) for name in ("one", "other")}
    return Task(24, lambda chosen, rng: (pictures[chosen], labels[chosen]), tests, 4)


def train(task, folder, norm="BIN", **changes):
    recipe = RESNET_8._replace(**changes)
    with run_bars(1) as bars, bars.run("", recipe.epochs) as bar:
        return training.train(task, norm, 0, recipe, folder, folder / "net.keras", bar)


@pytest.mark.slow
def test_result_tells_what_the_saved_net_reads(task, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CURVE_PICTURES", 8)
    result = train(task, tmp_path)
    net = keras.saving.load_model(tmp_path / "net.keras")
    pictures, labels = task.tests["one"]
    right = training.read(net, pictures) == labels
    expected = round(100 * float(right.mean()), 2)
    assert result["accuracy"] == {"one": expected, "other": expected}
    last = result["epochs"][-1]
    assert last["tests"]["one"] == round(100 * float(right[:8].mean()), 2)
    assert result["epochs"][0]["loss"] > last["loss"]
    assert {"loss", "accuracy", "tests", "rho", "seconds"} == set(last)
    assert len(result["rho"]) == len(last["rho"]) == 9
    for mean, (rho, *counts) in zip(result["rho"], last["rho"], strict=True):
        assert rho == mean
        assert sum(counts) in (16, 32, 64)
    assert max(result["rho"][:5]) < 1


@pytest.mark.parametrize("norm", ["BN", "IN first", "IBN-Net"])
def test_nets_start_alike(norm):
    kernels = []
    for name in ("BIN", norm):
        keras.utils.set_random_seed(3)
        model = build(RESNET_8, name)
        assert isinstance(model, keras.Model)
        assert model.input_shape == (None, 28, 28, 3)
        kernels.append([w.numpy() for w in model.trainable_weights if w.name == "kernel"])
    for one, other in zip(*kernels, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("norm", ALL_NORMS)
def test_every_norm_has_a_net(norm):
    assert build(RESNET_8, norm).output_shape == (None, 10)


def test_weight_decay_is_that_of_the_recipe():
    decaying, free = (build(RESNET_8._replace(weight_decay=decay), "BIN") for decay in (0.1, 0.0))
    weights = [w for w in decaying.trainable_weights if w.name != "rho"]
    expected = sum(0.05 * float(np.square(w).sum()) for w in weights)
    assert sum(map(float, decaying.losses)) == pytest.approx(expected, rel=1e-4)
    assert free.losses == []


@pytest.mark.parametrize(
    ("norm", "gates"), [("BIN", {0.25}), ("BIN first", {0.25}), ("BN+IN", {0.5}), ("IN", {0})]
)
def test_rho_starts_where_the_recipe_says_if_it_learns(norm, gates):
    model = build(RESNET_8._replace(rho_start=0.25), norm)
    found = {float(gate) for rho in keras_bin.rho_weights(model) for gate in np.array(rho)}
    assert found == gates
