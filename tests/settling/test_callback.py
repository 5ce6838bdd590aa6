"""Settling while a model trains: what goes to an end, stays there, is saved and resumed."""

import math

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin import SettleRho, rho_worth
from keras_bin.settling.goal import make_goal
from keras_bin.settling.rounds import _not_kept
from tests.settling.nets import (
    ALL_AT_1,
    BINS,
    build,
    compiled,
    ends,
    fit,
    gates,
    pictures,
    settling,
)


def test_layers_that_are_worth_least_go_to_1_and_the_front_learns_on(settled_training):
    model, settle, _ = settled_training
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
    model = compiled(build(), run_eagerly=True)
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


def test_rounds_are_after_the_epochs_between_start_and_stop(settled_training):
    _, settle, history = settled_training
    assert [step.epoch for step in settle.steps] == [2, 2, 3, 3, 4, 4]
    costs = [step.cost for step in settle.steps]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] == pytest.approx(1)
    # What a round may leave falls in equal steps; rounding of sums of shares.
    assert np.all(np.array(costs[1::2]) <= 1 - 0.4 * np.arange(1, 4) / 3 + 1e-6)
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
        (25, {"start": 0.28, "stop": 0.28}, [7]),  # 0.28 * 25 is a little more than 7
        (10, {"start": 0.1, "stop": 0.1}, [1]),
        (10, {"start": 0.95, "stop": 0.99}, []),
        (1, {}, []),
    ],
    ids=str,
)
def test_rounds_follow_from_the_number_of_epochs(epochs, settings, rounds):
    settle = SettleRho(pictures(), **settings, verbose=False)
    settle.set_model(compiled(build(bins=("front",)), run_eagerly=True))
    settle.set_params({"epochs": epochs})
    if rounds:
        settle.on_train_begin()
        assert list(settle._rounds) == rounds
        assert settle._rounds[rounds[-1]].max_cost == pytest.approx(0.1)
    else:
        with pytest.raises(ValueError, match=rf"lower `start`.* Received: .*epochs={epochs}$"):
            settle.on_train_begin()


def test_layer_that_is_worth_too_much_stays_whatever_it_costs(trained_weights):
    model = compiled(build(), run_eagerly=True)
    model.set_weights(trained_weights)
    front = rho_worth(model, pictures())[0]
    loss = model.evaluate(*pictures(), verbose=0)
    settle = settling(max_cost=0.0, max_increase=0.5 * front.without_instance / loss)
    one_round(model, settle)
    assert "front" not in {row.layer for row in settle.settled}
    assert settle.settled


def test_net_that_does_not_need_the_branch_keeps_none():
    settle = settling(max_cost=1.0, free_increase=1e6)
    assert ends(fit(compiled(build(), run_eagerly=True), settle, epochs=2)) == ALL_AT_1


def test_kept_layers_are_settled_in_the_last_round_alone(trained_weights):
    settle = settling(keep=0.25, start=0.3, stop=0.7)
    model = compiled(build(), run_eagerly=True)
    model.set_weights(trained_weights)
    fit(model, settle, epochs=3)
    (row,) = [row for row in settle.settled if row.layer == "front"]
    assert [step.epoch for step in settle.steps] == [1, 1, 2, 2]
    assert row.epoch == 2
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
    """In a graph, and for the plain model, whose steps are Keras's own, eagerly."""
    eager = model_class is keras.Model
    net = build(model_class, bins=("back",))
    model = compiled(net, OPTIMIZERS[optimizer](), run_eagerly=eager)
    at_1, seen, gammas = {"back": {1.0}}, [], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(ends(model))
            gammas.append(np.array(model.get_layer("back").gamma))

    fit(model, settling(max_cost=0.0), epochs=3, callbacks=[Watch()])
    assert seen[3] != at_1
    assert seen[4:] == [at_1] * 2  # the steps after the round
    assert ends(model) == at_1
    assert np.abs(gammas[5] - gammas[3]).max() > 1e-5  # other weights learn on


def test_layer_whose_gates_are_all_1_already_is_settled_there():
    model = compiled(build(rho=1.0), run_eagerly=True)
    one_round(model, settling(max_cost=0.0))
    model.fit(*pictures(), epochs=3, verbose=0)
    assert ends(model) == ALL_AT_1


def test_what_fits_is_kept_though_something_is_worth_more():
    """Worth for the cost: a 10, b 5, c little; a alone is above what may be left."""
    a, b, c = (build().get_layer(name) for name in BINS)
    changes = {a: 1.4, b: 0.25, c: 0.3}
    costs = {a: 0.14, b: 0.05, c: 0.81}

    def settled(*arguments):
        return _not_kept(changes, costs, make_goal(*arguments), 1.0)

    assert settled(0.1, math.inf, 0.0, None) == [c, a]
    assert settled(None, math.inf, 0.0, None) == [c, b]
    assert settled(0.1, 1.0, 0.0, None) == [c, b]
    assert settled(1, math.inf, 0.27, None) == [b]


def test_loss_that_is_not_finite_is_told():
    model = compiled(build(), run_eagerly=True)
    model.get_layer("head").kernel.assign(np.full((8, 2), np.nan))
    with pytest.raises(ValueError, match=r"loss must be finite.*Received: loss=nan"):
        one_round(model, settling())


def test_validation_and_metrics_of_the_epoch_are_as_without_it():
    """Gates are all at 1 already and nothing learns, so that the round itself changes nothing."""
    histories = []
    for callbacks in ([], [settling(max_cost=0.0)]):
        net = build(rho=1.0, bins=("front",))
        model = compiled(net, keras.optimizers.SGD(0.0), metrics=["accuracy"])
        history = model.fit(
            *pictures(),
            epochs=2,
            verbose=0,
            shuffle=False,
            callbacks=callbacks,
            validation_data=pictures(32, seed=1),
        )
        histories.append({k: v for k, v in history.history.items() if k != "rho/cost"})
    first, second = histories
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_allclose(second[name], values, rtol=1e-6)


@pytest.mark.parametrize("freeze", ["layer", "rho"])
def test_frozen_gates_are_left_alone(freeze):
    model = build()
    front = model.get_layer("front")
    if freeze == "layer":
        front.trainable = False
    else:
        front.rho.trainable = False
    found = ends(fit(compiled(model, run_eagerly=True), settling(max_cost=0.0), epochs=2))
    assert found.pop("front") == {float(np.float32(0.4))}
    assert set(map(tuple, found.values())) == {(1.0,)}


def test_round_is_printed(capsys):
    settle = SettleRho(pictures(), max_cost=0.0, free_increase=0.0)
    fit(compiled(build(), metrics=["accuracy"], run_eagerly=True), settle, epochs=2)
    printed = capsys.readouterr().out
    assert "SettleRho, epoch 1: cost 100.0 % to 0.0 %; " in printed
    assert "loss " in printed
    assert "accuracy " in printed
    (plot,) = settle.plot("accuracy").get_axes()
    assert plot.get_ylabel().startswith("accuracy")
    accuracies = [step.metrics["accuracy"] for step in settle.steps]
    np.testing.assert_allclose(plot.lines[0].get_ydata(), accuracies)
    assert all(f"\n    1  {name}" in printed for name in BINS)


def test_picture_has_two_points_for_each_round(settled_training):
    _, settle, _ = settled_training
    (plot,) = settle.plot().get_axes()
    before, after = (each.get_offsets() for each in plot.collections)
    assert len(before) == len(after) == 3
    np.testing.assert_allclose(after[:, 0], [100 * step.cost for step in settle.steps[1::2]])
    assert plot.get_xlabel().startswith("cost of layers with a gate below 1")
    with pytest.raises(ValueError, match=r"Received: metric='accuracy', with \['loss'\]$"):
        settle.plot("accuracy")
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
    with pytest.raises(ValueError, match="must contain a built BatchInstanceNormalization"):
        fit(compiled(model), SettleRho(pictures()))
