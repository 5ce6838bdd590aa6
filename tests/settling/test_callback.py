"""Settling while a model trains: what goes to an end, stays there, is saved and resumed."""

import math

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin import SettleRho, rho_worth
from tests.settling.nets import BINS, build, compiled, gates, pictures

EPOCHS = 5
ALL_AT_1 = {name: {1.0} for name in BINS}


def fit(model, settle, epochs=EPOCHS, callbacks=(), **settings):
    x, y = pictures()
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[settle, *callbacks], **settings)
    return model


def ends(model):
    return {name: set(rho.tolist()) for name, rho in gates(model).items()}


def settling(**settings):
    """Settles all but the front, in three rounds."""
    defaults = {"max_cost": 0.6, "free_increase": 0.0, "keep": None, "start": 0.4, "stop": 0.8}
    return SettleRho(pictures(), **{**defaults, "verbose": False, **settings})


@pytest.fixture(scope="module")
def trained():
    """A model that was settled at the cost of its front alone, and the callback that did it."""
    settle = settling()
    history = keras.callbacks.History()
    return fit(compiled(build()), settle, callbacks=[history]), settle, history.history


def test_layers_that_are_worth_least_go_to_1_and_the_front_learns_on(trained):
    model, settle, _ = trained
    assert ends(model)["middle"] == ends(model)["back"] == {1.0}
    assert 0 < gates(model)["front"].min() < 1
    assert {row.layer for row in settle.settled} == {"middle", "back"}
    assert all(row.value == 1 for row in settle.settled)
    assert model.get_layer("middle").rho_constraint.value == 1
    assert isinstance(model.get_layer("front").rho_constraint, keras_bin.UnitInterval)


def one_round(model, settle):
    """Runs the round of a training of two epochs, without the training."""
    settle.set_model(model)
    settle.set_params({"epochs": 2})
    settle.on_train_begin()
    settle.on_epoch_end(0)


def test_what_is_settled_first_is_worth_least_for_what_it_costs():
    model = compiled(build())
    model.fit(*pictures(), epochs=2, verbose=0)
    worths = rho_worth(model, pictures())
    order = sorted(worths, key=lambda worth: worth.without_instance / worth.cost)
    settle = settling(max_cost=0.0)
    one_round(model, settle)
    assert [row.layer for row in settle.settled] == [worth.layer for worth in order]
    np.testing.assert_allclose(
        [row.change for row in settle.settled],
        [worth.without_instance for worth in order],
        rtol=1e-3,
        atol=1e-6,
    )


def test_rounds_are_after_the_epochs_between_start_and_stop(trained):
    _, settle, history = trained
    assert [step.epoch for step in settle.steps] == [2, 2, 3, 3, 4, 4]
    costs = [step.cost for step in settle.steps]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] == pytest.approx(1)
    # What a round may leave falls as 0.6 ** (1 / 3), 0.6 ** (2 / 3), 0.6.
    assert np.all(np.array(costs[1::2]) <= 0.6 ** (np.arange(1, 4) / 3))
    assert history["rho/cost"] == pytest.approx([1, costs[1], costs[3], costs[5], costs[5]])


@pytest.mark.parametrize(
    ("epochs", "settings", "rounds"),
    [
        (2, {}, [1]),
        (3, {}, [1]),
        (5, {}, [1]),
        (10, {}, [2]),
        (3, {"start": 0.4, "stop": 0.8}, [2]),
        (10, {"start": 0.4, "stop": 0.8}, [4, 5, 6, 7, 8]),
        (10, {"start": 0.1, "stop": 0.1}, [1]),
        (10, {"start": 0.95, "stop": 0.99}, []),
        (1, {}, []),
    ],
    ids=str,
)
def test_rounds_follow_from_the_number_of_epochs(epochs, settings, rounds):
    settle = SettleRho(pictures(), **settings, verbose=False)
    settle.set_model(compiled(build()))
    settle.set_params({"epochs": epochs})
    if rounds:
        settle.on_train_begin()
        assert list(settle._rounds) == rounds
        assert settle._rounds[rounds[-1]].max_cost == pytest.approx(0.1)
    else:
        with pytest.raises(ValueError, match=rf"at least 2. Received: epochs={epochs}"):
            settle.on_train_begin()


def test_layer_that_is_worth_too_much_stays_whatever_it_costs():
    model = compiled(build())
    model.fit(*pictures(), epochs=8, verbose=0)
    front = rho_worth(model, pictures())[0]
    loss = model.evaluate(*pictures(), verbose=0)
    settle = settling(max_cost=0.0, max_increase=0.5 * front.without_instance / loss)
    one_round(model, settle)
    assert "front" not in {row.layer for row in settle.settled}
    assert settle.settled


def test_net_that_does_not_need_the_branch_keeps_none():
    settle = settling(max_cost=1.0, free_increase=1e6)
    assert ends(fit(compiled(build()), settle)) == ALL_AT_1


def test_kept_layers_are_settled_in_the_last_round_alone():
    settle = settling(keep=0.25)
    model = fit(compiled(build()), settle)
    (row,) = [row for row in settle.settled if row.layer == "front"]
    assert row.epoch == 4
    assert row.value == 0.25
    assert ends(model)["front"] == {0.25}
    assert model.get_layer("front").rho_constraint.value == 0.25
    assert settle.steps[-1].cost == pytest.approx(256 / 480)


OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(0.01),
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "Lion": lambda: keras.optimizers.Lion(0.003),
    "EMA": lambda: keras.optimizers.SGD(0.05, momentum=0.9, use_ema=True),
    "EMA, overwriting": lambda: keras.optimizers.Adam(
        0.01, use_ema=True, ema_overwrite_frequency=2
    ),
    "accumulation": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
    "loss scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
}


@pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")
@pytest.mark.parametrize("model_class", [keras.Model, keras_bin.BINModel])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_settled_gates_stay_under_every_optimizer(optimizer, model_class):
    model = compiled(build(model_class), OPTIMIZERS[optimizer]())
    seen, gammas = [], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(ends(model))
            gammas.append(np.array(model.get_layer("back").gamma))

    fit(model, settling(max_cost=0.0), epochs=3, callbacks=[Watch()])
    assert seen[3] != ALL_AT_1
    assert seen[4:] == [ALL_AT_1] * 2  # the steps after the round
    assert ends(model) == ALL_AT_1
    assert np.abs(gammas[5] - gammas[3]).max() > 1e-5  # other weights learn on


def test_settled_gates_stay_in_a_training_without_the_callback(trained):
    model = keras.models.clone_model(trained[0])
    model.set_weights(trained[0].get_weights())
    compiled(model, keras.optimizers.Adam(0.01, use_ema=True))
    model.fit(*pictures(), epochs=2, verbose=0)
    assert ends(model)["middle"] == ends(model)["back"] == {1.0}


def test_saved_model_stays_settled(trained, tmp_path):
    model, _, _ = trained
    model.save(tmp_path / "settled.keras")
    loaded = keras.saving.load_model(tmp_path / "settled.keras")
    fit(loaded, keras.callbacks.Callback(), epochs=1)
    assert ends(loaded)["middle"] == ends(loaded)["back"] == {1.0}
    assert np.any(gates(loaded)["front"] != gates(model)["front"])


def test_training_that_goes_on_from_a_backup_ends_as_one_that_was_not_interrupted(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))

    whole = fit(compiled(build()), settling(), shuffle=False)
    with pytest.raises(KeyboardInterrupt):
        fit(compiled(build()), settling(), callbacks=[backup(), Stop()], shuffle=False)
    resumed = fit(compiled(build()), settling(), callbacks=[backup()], shuffle=False)
    assert ends(resumed)["middle"] == ends(resumed)["back"] == {1.0}
    for name in BINS:
        np.testing.assert_allclose(gates(resumed)[name], gates(whole)[name], rtol=0, atol=1e-6)


def test_model_with_frozen_layers_settles_the_others():
    model = build()
    model.get_layer("front").trainable = False
    settle = settling(max_cost=0.0)
    assert ends(fit(compiled(model), settle)) == ALL_AT_1


def test_round_is_printed(capsys):
    settle = SettleRho(pictures(), max_cost=0.0, free_increase=0.0)
    fit(compiled(build(), metrics=["accuracy"]), settle, epochs=2)
    printed = capsys.readouterr().out
    assert "SettleRho, epoch 1: cost 100.0 % to 0.0 %; " in printed
    assert "loss " in printed
    assert "accuracy " in printed
    assert all(f"\n    1  {name}" in printed for name in BINS)


def test_picture_has_two_points_for_each_round(trained):
    _, settle, _ = trained
    (plot,) = settle.plot().get_axes()
    before, after = (each.get_offsets() for each in plot.collections)
    assert len(before) == len(after) == 3
    np.testing.assert_allclose(after[:, 0], [100 * step.cost for step in settle.steps[1::2]])
    assert plot.get_xlabel().startswith("cost of layers with a gate below 1")
    with pytest.raises(ValueError, match="Received: no round"):
        SettleRho(pictures()).plot()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_cost": -0.1}, "max_cost=-0.1"),
        ({"max_cost": 1.1}, "max_cost=1.1"),
        ({"max_cost": math.nan}, "max_cost=nan"),
        ({"max_cost": "all"}, "max_cost='all'"),
        ({"max_increase": -1}, "max_increase=-1"),
        ({"free_increase": math.inf}, "free_increase=inf"),
        ({"free_increase": True}, "free_increase=True"),
        ({"start": 0.5, "stop": 0.4}, "start=0.5, stop=0.4"),
        ({"stop": 1.0}, "start=0.2, stop=1.0"),
        ({"start": -0.1}, "start=-0.1, stop=0.2"),
        ({"keep": 1.5}, "keep=1.5"),
        ({"keep": "half"}, "keep='half'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_argument_out_of_its_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=f"Received: {message}$"):
        SettleRho(pictures(), **settings)


def test_model_without_bin_layers_is_refused():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2))
    with pytest.raises(ValueError, match="SettleRho needs a model with at least one built"):
        fit(compiled(model), SettleRho(pictures()))
