"""Names that Keras makes up are told from those that people give."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_bin
from keras_bin.networks.automatic_names import automatic_inputs, automatic_outputs
from keras_bin.networks.graph import as_functional


class Doubled(keras.Model):
    """A model that is no graph."""

    def call(self, x):
        return 2 * x


def sequential(name=None):
    return keras.Sequential([keras.Input((4,), name=name), layers.Dense(3), layers.Dense(2)])


def after(operation):
    """Makes a model of an input `x` and what an operation makes of it."""
    inputs = keras.Input((4, 2), name="x")
    return keras.Model(inputs, operation(inputs))


def doubled(name=None):
    model = Doubled(name=name)
    model(np.zeros((2, 4), "float32"))
    return model


def two_inputs():
    inputs = [keras.Input((2,)), keras.Input((2,), name="left"), keras.Input((2,))]
    return keras.Model(inputs, layers.Add(name="sum")(inputs))


def dicts():
    inputs = {name: keras.Input((2,), name=name) for name in ("dense", "keras_tensor_3")}
    return keras.Model(inputs, {"add": layers.Add()(list(inputs.values()))})


def names(model):
    model = as_functional(model)
    return automatic_inputs(model), automatic_outputs(model)


KINDS = {
    "sequential": (sequential, ["keras_tensor"], ["dense_1"]),
    "sequential_with_a_name": (lambda: sequential("x"), [], ["dense_1"]),
    "inputs": (two_inputs, ["keras_tensor", "keras_tensor_1"], []),
    "keys": (dicts, [], []),
    "name": (lambda: after(layers.Dense(2, name="head")), [], []),
    "name_that_starts_like_one": (lambda: after(layers.Dense(2, name="dense_head")), [], []),
    "name_of_another_class": (lambda: after(layers.Dense(2, name="relu_1")), [], []),
    "own_layer": (
        lambda: after(keras_bin.BatchInstanceNormalization()),
        [],
        ["batch_instance_normalization"],
    ),
    "operation": (lambda: after(lambda x: ops.relu(x) + 1), [], ["add"]),
    "several_of_one": (lambda: after(lambda x: ops.split(x, 2, 1)), [], ["split", "split_1"]),
    "some": (
        lambda: after(lambda x: [layers.Dense(2)(x), layers.Dense(2, name="y")(x)]),
        [],
        ["dense"],
    ),
    "input_as_output": (lambda: after(lambda x: [x, layers.Dense(2, name="y")(x)]), [], []),
    "input_without_a_name_as_output": (
        lambda: keras.Model(x := keras.Input((2,)), [x, layers.ReLU(name="relu")(x)]),
        ["keras_tensor"],
        ["input_layer"],
    ),
    "nested_sequential": (lambda: after(sequential("y")), [], ["sequential"]),
    "nested_functional": (lambda: after(after(layers.Dense(2))), [], ["functional"]),
    "subclass": (doubled, [], ["doubled"]),
    "subclass_with_a_name": (lambda: doubled("net"), [], []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_nobody_gave_are_found(kind):
    build, inputs, outputs = KINDS[kind]
    assert names(build()) == (inputs, outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_same_names_of_later_layers_are_found(kind):
    build, inputs, outputs = KINDS[kind]
    build()
    found = names(build())
    assert tuple(map(len, found)) == (len(inputs), len(outputs))
    if kind != "several_of_one":  # their own numbers come back
        assert not {*inputs, *outputs} & {*found[0], *found[1]}


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_names_are_found_in_files(ending, tmp_path):
    sequential().save(tmp_path / f"net.{ending}")
    loaded = keras.saving.load_model(tmp_path / f"net.{ending}")
    assert names(loaded) == (["input_layer"], ["dense_1"])


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (None, ["split", "split_1"]),
        (["split", "split_1"], []),
        (("a", "b"), []),
        ({"split": "a"}, ["split_1"]),
        ({"split_1": "split_1"}, ["split"]),
        ({}, ["split", "split_1"]),
    ],
    ids=str,
)
def test_names_that_are_given_or_kept_on_purpose_are_not_among_them(given, left):
    assert automatic_outputs(after(lambda x: ops.split(x, 2, 1)), given) == left
