"""Functions without variables: what they compute, what they hold, what keeps them from it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_bin.export import export_saved_model
from keras_bin.export.folding.graph import as_functional
from keras_bin.export.onnx_files import external
from keras_bin.export.saved_models.freezing import freeze
from keras_bin.export.signature import model_signature, serving_function
from tests.export.models import BIN, KINDS, classifier
from tests.export.programs import serving
from tests.export.values import arrays, predict, randomize


def frozen(model):
    model = as_functional(model)
    signature = model_signature(model)
    return freeze(serving_function(model, signature), signature)


@pytest.mark.parametrize("kind", ["functional", "lists", "dicts", "recurrent", "masked"])
def test_frozen_function_computes_the_same_by_name(kind):
    model = KINDS[kind]()
    function, outside = frozen(model)
    assert list(outside) == []
    values = arrays(model, 3)
    got = function(*map(tf.constant, values))
    names = [info.name for info in model_signature(as_functional(model)).outputs]
    for name, expected in zip(names, predict(model, values), strict=True):
        # The same operations, some of them done once and for all.
        np.testing.assert_allclose(got[name], expected, rtol=1e-5, atol=1e-5)


def test_frozen_function_reads_no_variable():
    function, _ = frozen(classifier())
    graph = function.get_concrete_function().graph
    assert not [operation for operation in graph.get_operations() if "Variable" in operation.type]
    assert graph.captures == []


def test_static_shapes_survive():
    model = keras.Model(x := keras.Input((8, 6, 3)), layers.Dense(2, name="y")(x))
    function, _ = frozen(model)
    assert function.get_concrete_function().structured_outputs["y"].shape == (None, 8, 6, 2)


def test_lookup_table_is_outside():
    lookup = layers.IntegerLookup(vocabulary=[1, 0, 5])
    inputs = keras.Input((6,), dtype="int64")
    model = keras.Model(inputs, BIN()(layers.Embedding(10, 3)(lookup(inputs))))
    _, outside = frozen(model)
    assert len(outside) == 1


@pytest.mark.parametrize("reason", ["table", "size"])
def test_saved_model_keeps_variables_where_it_cannot_be_frozen(reason, tmp_path, monkeypatch):
    inputs = keras.Input((6,), dtype="int64", name="x")
    lookup = layers.IntegerLookup(vocabulary=[1, 0, 5]) if reason == "table" else layers.Identity()
    if reason == "size":
        monkeypatch.setattr(external, "LARGEST_INSIDE", 0)
    model = keras.Model(inputs, BIN()(layers.Embedding(10, 3)(lookup(inputs))))
    path = export_saved_model(randomize(model), tmp_path).path
    graph = serving(path).graph
    assert "ReadVariableOp" in {operation.type for operation in graph.get_operations()} | {
        node.op for f in graph.as_graph_def().library.function for node in f.node_def
    }
    values = arrays(model, 3)
    (got,) = serving(path)(x=tf.constant(values[0])).values()
    np.testing.assert_allclose(got, predict(model, values)[0], rtol=1e-5, atol=1e-5)


def test_saved_model_holds_its_weights_once(tmp_path):
    model = keras.Model(x := keras.Input((50,)), layers.Dense(2000)(x))
    path = export_saved_model(model, tmp_path).path
    weights = 4 * model.count_params()
    assert weights < (path / "saved_model.pb").stat().st_size < 1.2 * weights
