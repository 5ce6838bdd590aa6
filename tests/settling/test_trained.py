"""Settling the gates of a model that is already trained."""

import keras
import numpy as np
import pytest

from keras_bin import settle_rho
from keras_bin.export import fold_report
from tests.settling.nets import BINS, build, compiled, gates, pictures


@pytest.fixture
def trained(trained_weights):
    model = build()
    model.set_weights(trained_weights)
    return compiled(model, keras.optimizers.SGD(0.01), metrics=["accuracy"])


def test_all_but_the_front_are_settled_and_absorbed(trained):
    settled = settle_rho(trained, pictures(), max_cost=0.6, free_increase=0.0, verbose=False)
    assert {row.layer for row in settled} == {"middle", "back"}
    # Epochs are those that were trained.
    assert settled[0].epoch == 0
    assert {row.epoch for row in settled} <= {0, 1, 2}
    became = {each.layer: each.became for each in fold_report(trained)}
    assert became == {
        "front": "batch-instance normalization",
        "middle": "absorbed",
        "back": "absorbed",
    }


@pytest.mark.parametrize("epochs", [0, 1])
def test_statistics_are_those_of_the_weights_it_ends_with(epochs, trained):
    """All 64 pictures are one batch, whose statistics are then the moving ones."""
    x, y = pictures()
    kernel = np.array(trained.layers[1].kernel)
    given = {"max_cost": 0.0, "rounds": 1, "verbose": False, "batch_size": 64}
    settle_rho(trained, (x, y), epochs=epochs, **given)
    assert np.array_equal(np.array(trained.layers[1].kernel), kernel) == (epochs == 0)
    in_inference = trained.predict(x, verbose=0)
    # float32 rounding of values up to 5.
    np.testing.assert_allclose(np.array(trained(x, training=True)), in_inference, atol=1e-4)


def test_training_data_may_be_others_than_those_that_are_measured_on(trained):
    other = pictures(64, seed=1)
    kernel = np.array(trained.layers[1].kernel)
    settle_rho(
        trained, pictures(), training_data=other, max_cost=0.0, epochs=2, verbose=False, rounds=1
    )
    assert np.abs(np.array(trained.layers[1].kernel) - kernel).max() > 1e-5
    assert {tuple(set(rho.tolist())) for rho in gates(trained).values()} == {(1.0,)}


def test_nothing_is_trained_where_nothing_is_settled(trained):
    settle_rho(trained, pictures(), max_cost=0.0, rounds=1, epochs=0, verbose=False)
    before = [np.array(weight) for weight in trained.weights]
    assert settle_rho(trained, pictures(), max_cost=1.0, free_increase=0.0, max_increase=0.0) == []
    for value, weight in zip(before, trained.weights, strict=True):
        np.testing.assert_array_equal(value, np.array(weight))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0}, "`rounds` must be an integer, 1 or more. Received: rounds=0"),
        ({"epochs": -1}, "`epochs` must be an integer, 0 or more. Received: epochs=-1"),
        ({"epochs": 1.5}, "`epochs` must be an integer"),
        ({"max_cost": 2}, "Received: max_cost=2"),
    ],
    ids=str,
)
def test_argument_out_of_its_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        settle_rho(compiled(build()), pictures(), **settings)


@pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")
def test_plain_model_with_averages_of_weights_ends_at_1_exactly():
    net = build(keras.Model, bins=("back",))
    model = compiled(net, keras.optimizers.SGD(0.05, use_ema=True))
    model.fit(*pictures(), epochs=2, verbose=0)
    settle_rho(model, pictures(), max_cost=0.0, rounds=1, epochs=2, verbose=False)
    assert {tuple(set(rho.tolist())) for rho in gates(model).values()} == {(1.0,)}


def test_model_must_be_compiled():
    with pytest.raises(ValueError, match="must be compiled"):
        settle_rho(build(), pictures())


def test_table_lists_what_was_settled(trained, capsys):
    settled = settle_rho(trained, pictures(), max_cost=0.0, rounds=1)
    assert str(settled).splitlines()[0] == "Layers whose gates were settled"
    assert {row.layer for row in settled} == set(BINS)
    assert "SettleRho, epoch 0" in capsys.readouterr().out
