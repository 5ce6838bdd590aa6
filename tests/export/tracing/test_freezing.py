"""Graphs without variables: what they compute, what they hold, what keeps them from it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_bin.export.tensorflow_internals import ANNOTATIONS
from keras_bin.networks.graph import as_functional
from keras_bin.networks.signature import model_signature
from tests.export.custom_layers import Counting
from tests.export.kinds import BIN, KINDS, classifier
from tests.export.tracing.graphs import image, kinds, run, stacked, traced
from tests.export.values import arrays, predict


@pytest.mark.parametrize("kind", ["functional", "lists", "dicts", "recurrent", "masked"])
def test_frozen_graph_computes_the_same_by_name(kind):
    model = KINDS[kind]()
    graph, _ = traced(model)
    assert graph.captured == {}
    values = arrays(model, 3)
    got = run(graph, *values)
    names = [info.name for info in model_signature(as_functional(model)).outputs]
    for name, expected in zip(names, predict(model, values), strict=True):
        # The same operations, some of them done once and for all.
        np.testing.assert_allclose(got[name], expected, rtol=1e-5, atol=1e-5)


def test_frozen_graph_reads_no_variable():
    graph, _ = traced(classifier())
    assert not [node for node in graph.definition.node if "Variable" in node.op]


def test_variables_may_stay():
    model = classifier()
    graph, _ = traced(model, keep_variables=True)
    assert len(graph.captured) == len(model.weights)
    values = arrays(model, 3)
    np.testing.assert_allclose(
        run(graph, *values)["head"], predict(model, values)[0], rtol=1e-5, atol=1e-5
    )


def test_static_shapes_survive():
    graph, signature = traced(stacked(layers.Dense(2, name="y"), shape=(8, 6, 3)))
    specs = [tf.TensorSpec((None, 8, 6, 3))]
    function = graph.function(specs, {info.name: info.shape for info in signature.outputs})
    assert function.get_concrete_function().structured_outputs["y"].shape == (None, 8, 6, 2)


def test_lookup_table_is_outside():
    lookup = layers.IntegerLookup(vocabulary=[1, 0, 5])
    inputs = keras.Input((6,), dtype="int64")
    model = keras.Model(inputs, BIN()(layers.Embedding(10, 3)(lookup(inputs))))
    assert len(traced(model)[0].captured) == 1


def test_variable_that_a_call_assigns_stays_a_variable():
    model = stacked(Counting())
    (calls,) = model.weights
    calls.assign(0.0)
    graph, _ = traced(model)
    assert len(graph.captured) == 1
    specs = [tf.TensorSpec((None, 8, 9, 3))]
    function = graph.function(specs)
    x = image(2, 8, 9, 3)
    for number in (1, 2, 3):
        (got,) = function(tf.constant(x)).values()
        np.testing.assert_array_equal(got, x + number)


class Compiled(layers.Layer):
    """Computes in a function that XLA is to compile."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],))

    def call(self, inputs):
        return tf.function(lambda x: x * self.factor, jit_compile=True)(inputs)


@pytest.mark.parametrize(
    "stack",
    [
        [layers.Conv2D(6, 3, groups=3)],
        [layers.Conv2D(6, 3, groups=3), layers.Conv2D(6, 3, groups=2)],
        [layers.Conv2D(6, 3, groups=3, dilation_rate=2, padding="same")],
        [Compiled()],
        [layers.Dense(4), Compiled(), layers.Conv2D(6, 3, groups=2)],
    ],
    ids=["grouped", "twice", "dilated", "own", "both"],
)
def test_nothing_is_left_for_xla_to_compile(stack):
    model = stacked(*stack)
    graph, _ = traced(model)
    assert "PartitionedCall" not in "".join(kinds(graph))
    x = image(2, 8, 9, 3)
    (got,) = run(graph, x).values()
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=1e-5, atol=1e-5)


@tf.custom_gradient
def _capturing(x):
    middle = tf.sigmoid(x)
    return x * middle, lambda upstream: upstream * middle


def test_gradients_of_ones_own_are_left_out():
    graph, _ = traced(stacked(layers.Lambda(_capturing), layers.Activation("silu")))
    assert not [node for node in graph.definition.node if set(ANNOTATIONS) & set(node.attr)]


def test_functions_of_two_graphs_have_different_names():
    names = [
        function.signature.name
        for _ in range(2)
        for function in traced(KINDS["recurrent"]())[0].definition.library.function
    ]
    assert len(names) == len(set(names)) > 0
