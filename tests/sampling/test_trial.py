"""Trials: what a model takes, and what its layers get."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.networks.graph import as_functional
from keras_bin.networks.signature import model_signature
from keras_bin.sampling.trial import Trial
from tests.export.kinds import BIN, IMAGE, KINDS


def trial_of(model):
    return Trial(model, model_signature(model))


def images(model, rows=2):
    return {
        info.name: np.ones((rows, *info.shape[1:]), info.dtype)
        for info in model_signature(model).inputs
    }


@pytest.mark.parametrize(
    ("function", "finite"),
    [
        (lambda x: x, True),
        (lambda x: ops.log(x - 1), False),
        (lambda x: x / (x - 1) - x / (x - 1), False),
        (lambda x: ops.reshape(x, (-1, 7)), False),
        (lambda x: x[:, 9:], False),
    ],
    ids=["right", "infinite", "NaN", "raises", "empty"],
)
def test_model_is_finite_where_it_runs_and_every_value_is(function, finite):
    inputs = keras.Input((4,), name="x")
    changed = layers.Lambda(function, output_shape=(4,))(inputs)
    model = keras.Model(inputs, {"right": inputs * 2, "changed": changed})
    assert trial_of(model).is_finite(images(model)) == finite


@pytest.mark.parametrize("kind", ["nested_twice", "time_distributed", "sequential"])
def test_layer_that_is_called_first_is_found_wherever_it_is(kind):
    model = as_functional(KINDS[kind]())
    trial = trial_of(model)
    bins = [layer for layer in trial.layers if isinstance(layer, BIN)]
    layer, seen = trial.first_input(bins, images(model))
    assert layer in bins
    assert seen.shape[-1] == layer.moving_mean.shape[0]


def test_first_input_is_what_the_layer_got():
    inputs = keras.Input(IMAGE, name="image")
    model = keras.Model(inputs, BIN()(layers.Rescaling(0.25, 1)(inputs)))
    _, seen = trial_of(model).first_input([model.layers[-1]], images(model, 3))
    np.testing.assert_array_equal(seen, np.full((3, *IMAGE), 1.25, "float32"))


def test_layer_that_is_not_called_has_no_first_input():
    inputs = keras.Input(IMAGE, name="image")
    model = keras.Model(inputs, inputs * 2)
    trial = trial_of(model)
    assert trial.first_input([], images(model)) is None
    assert trial.first_input([layers.ReLU()], images(model)) is None


def test_inputs_are_seen_until_the_model_fails():
    inputs = keras.Input((4,), name="x")
    first, second = layers.Rescaling(2), layers.Rescaling(5)
    broken = layers.Lambda(lambda x: ops.reshape(x, (-1, 7)), output_shape=(4,))
    model = keras.Model(inputs, second(broken(first(inputs))))
    ((layer, seen),) = trial_of(model).inputs_of([first, second], images(model))
    assert layer is first
    np.testing.assert_array_equal(seen, np.ones((2, 4)))


@pytest.mark.parametrize("own", [False, True], ids=["class", "instance"])
def test_call_of_a_layer_is_as_before(own):
    inputs = keras.Input((4,), name="x")
    layer = layers.ReLU()
    model = keras.Model(inputs, layer(inputs))
    if own:
        layer.call = lambda x: x * 3
    before = vars(layer).get("call")
    trial_of(model).first_input([layer], images(model))
    trial_of(model).inputs_of([layer], images(model))
    assert vars(layer).get("call") is before
    assert ("call" in vars(layer)) == own
