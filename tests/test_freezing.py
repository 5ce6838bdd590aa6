"""What stays, and what learns, after each way to freeze; the table in docs/gates.md."""

import contextlib

import keras
import numpy as np
import pytest

import keras_bin
from testing.small_net import batch, build_model
from tests.fixed_statistics import FixedStatistics

WEIGHTS = {"gamma", "beta", "rho"}
STATISTICS = {"moving_mean", "moving_variance"}


def freeze_rho(model):
    model.get_layer("bin").rho.trainable = False
    return model


def freeze_rhos(model):
    for rho in keras_bin.rho_weights(model):
        rho.trainable = False
    return model


def keep_moving_statistics(model):
    model.get_layer("bin").momentum = 1.0
    return model


def fix_statistics(model):
    def fixed(layer):
        bin_layer = isinstance(layer, keras_bin.BatchInstanceNormalization)
        return (FixedStatistics if bin_layer else type(layer)).from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=fixed)
    clone.set_weights(model.get_weights())
    return clone


def freeze_layer(model):
    model.get_layer("bin").trainable = False
    return model


def freeze_model(model):
    model.trainable = False
    return model


def learned(model):
    """Returns the names of the weights that a step has changed, in the BIN layer and elsewhere."""
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.train_on_batch(*batch())
    changed = {
        weight.path for weight in model.weights if (weight.numpy() != before[weight.path]).any()
    }
    inside = {path for path in changed if path.startswith("bin/")}
    return {path.split("/")[1] for path in inside}, changed - inside


ELSEWHERE = {"conv/kernel", "conv/bias", "head/kernel", "head/bias"}


@pytest.mark.parametrize(
    ("freeze", "expected"),
    [
        (lambda model: model, WEIGHTS | STATISTICS),
        (freeze_rho, WEIGHTS - {"rho"} | STATISTICS),
        (freeze_rhos, WEIGHTS - {"rho"} | STATISTICS),
        (keep_moving_statistics, WEIGHTS),
        (fix_statistics, WEIGHTS),
        (freeze_layer, set()),
    ],
    ids=["nothing", "rho", "rhos", "moving statistics", "statistics", "layer"],
)
def test_all_but_the_frozen_learns(freeze, expected):
    inside, elsewhere = learned(freeze(build_model(10.0)))
    assert inside == expected
    assert elsewhere >= ELSEWHERE - {"conv/bias"}


def test_frozen_model_learns_nothing():
    warned = pytest.warns(UserWarning, match="trainable weights")
    # On JAX, Keras says nothing.
    with contextlib.nullcontext() if keras.backend.backend() == "jax" else warned:
        assert learned(freeze_model(build_model(10.0))) == (set(), set())


@pytest.mark.parametrize(
    ("freeze", "uses_batch"),
    [
        (freeze_rho, True),
        (keep_moving_statistics, True),
        (fix_statistics, False),
        (freeze_layer, False),
    ],
    ids=["rho", "moving statistics", "statistics", "layer"],
)
def test_statistics_that_training_normalizes_with(freeze, uses_batch):
    model = freeze(build_model(10.0))
    images, _ = batch()
    outputs = [np.asarray(model(images, training=training)) for training in (True, False)]
    assert np.allclose(*outputs, rtol=0, atol=1e-6) is not uses_batch


def test_files_keep_what_layers_hold_and_not_what_weights_do(tmp_path):
    model = freeze_rho(keep_moving_statistics(build_model(10.0)))
    model.get_layer("head").trainable = False
    model.save(tmp_path / "model.keras")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ):
        assert again.get_layer("bin").momentum == 1.0
        assert not again.get_layer("head").trainable
        assert again.get_layer("bin").rho.trainable


def test_making_a_model_trainable_again_frees_rho():
    model = freeze_rho(freeze_model(build_model(10.0)))
    model.trainable = True
    assert model.get_layer("bin").rho.trainable


def test_training_false_in_a_graph_has_no_effect_in_training():
    inputs = keras.Input((6, 6, 2))
    x = keras_bin.BatchInstanceNormalization(name="bin")(inputs, training=False)
    model = keras_bin.BINModel(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    inside, _ = learned(model)
    assert inside >= STATISTICS
