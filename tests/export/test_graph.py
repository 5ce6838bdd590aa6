"""Which models have a known graph, and the plain model over it."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.graph import as_functional, check_model, is_graph
from tests.export.models import BIN, IMAGE, KINDS
from tests.export.own_layers import DoubledBIN
from tests.export.values import arrays, predict, randomize


@pytest.mark.parametrize("kind", KINDS)
def test_plain_model_computes_the_same_with_the_same_layers(kind):
    model = randomize(KINDS[kind]())
    plain = as_functional(model)
    assert is_graph(model)
    assert not plain.compiled
    assert plain.name == model.name
    assert {id(weight) for weight in plain.weights} == {id(weight) for weight in model.weights}
    inputs = arrays(model, 3 if model.inputs[0].shape[0] is None else model.inputs[0].shape[0])
    for got, expected in zip(predict(plain, inputs), predict(model, inputs), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "make",
    [DoubledBIN, BIN, lambda: keras.Sequential([BIN()]), lambda: keras.Model()],
    ids=["own call", "layer", "unbuilt", "subclassed"],
)
def test_others_are_no_graph(make):
    assert not is_graph(make())


def test_dict_inputs_keep_their_keys():
    inputs = {name: keras.Input(IMAGE, name=name) for name in ("left", "right")}
    model = keras.Model(inputs, {"sum": layers.Add()(list(inputs.values()))})
    assert as_functional(model).input.keys() == {"left", "right"}
    assert as_functional(model).output.keys() == {"sum"}


def test_own_call_is_refused_by_name():
    with pytest.raises(ValueError, match=r"keep their `call`.*'doubled_bin' of type DoubledBIN"):
        check_model(DoubledBIN())
