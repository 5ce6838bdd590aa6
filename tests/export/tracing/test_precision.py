"""Graphs in another precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_bin.export.tracing.precision import in_float32, in_float64
from tests.export.custom_layers import Counting
from tests.export.kinds import HALF_KINDS, KINDS, of_policy
from tests.export.tracing.graphs import image, run, stacked, traced


def _where(x):
    return ops.where(x > 0, x, ops.exp(x))


STACKS = {
    "conv": [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()],
    "resized": [layers.UpSampling2D(interpolation="bilinear"), layers.Conv2D(2, 3)],
    "attention": [layers.Reshape((72, 3)), layers.Dense(4), layers.LayerNormalization()],
    "where": [layers.Lambda(_where), layers.AveragePooling2D(2)],
    "loop": [layers.TimeDistributed(layers.GRU(3))],
    "transposed": [layers.Conv2DTranspose(2, 3, strides=2)],
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_float64_has_more_digits(stack):
    model = stacked(*stack)
    single, _ = traced(model)
    double, _ = traced(model)
    in_float64(double)
    x = image(2, 8, 9, 3)
    ((rough,), (exact,)) = run(single, x).values(), run(double, x.astype("float64")).values()
    assert (rough.dtype, exact.dtype) == ("float32", "float64")
    np.testing.assert_allclose(rough, exact, rtol=1e-4, atol=1e-4)
    assert not np.array_equal(rough, exact)


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_becomes_single_everywhere(kind):
    graph, _ = traced(HALF_KINDS[kind]())
    in_float32(graph)
    half = (19, 14)  # DT_HALF and DT_BFLOAT16
    nodes = [*graph.definition.node]
    nodes += [node for function in graph.definition.library.function for node in function.node_def]
    assert not [node.name for node in nodes for value in node.attr.values() if value.type in half]


def test_integers_stay_integers():
    inputs = keras.Input((4,), dtype="int32", name="ids")
    model = keras.Model(inputs, layers.Embedding(5, 3)(inputs % 5))
    graph, _ = traced(model)
    in_float64(graph)
    ids = np.arange(8, dtype="int32").reshape(2, 4)
    (got,) = run(graph, ids).values()
    np.testing.assert_array_equal(got, np.float64(model.layers[-1].embeddings)[ids % 5])


KEPT = {
    **HALF_KINDS,
    "pure_float16_loop": lambda: of_policy(KINDS["recurrent"], "float16"),
    "pure_bfloat16": lambda: of_policy(KINDS["functional"], "bfloat16"),
    "pure_float16_lookup": lambda: of_policy(KINDS["masked"], "float16"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_variables_that_stay_are_read_in_their_own_precision(kind):
    model = KEPT[kind]()
    kept, signature = traced(model, keep_variables=True)
    constant, _ = traced(model)
    (info,) = signature.inputs
    x = np.abs(image(2, *info.shape[1:])).clip(0, 3).astype(info.dtype)
    in_float32(kept)
    in_float32(constant)
    assert len(kept.captured) == len(model.weights)
    ((got,), (expected,)) = run(kept, x).values(), run(constant, x).values()
    assert got.dtype == "float32"
    # The same operations, some of them done once and for all.
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


class Pricing(layers.Layer):
    """Looks a float up in a table outside the graph."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        prices = tf.lookup.KeyValueTensorInitializer([0, 1], [0.5, 0.25], tf.int64, tf.float32)
        self.table = tf.lookup.StaticHashTable(prices, 7.0)

    def call(self, inputs):
        return inputs / 3 + self.table.lookup(ops.cast(inputs > 1, "int64"))


RESOURCES = {
    "counter": (Counting, lambda x: x + 1),
    "counter in a loop": (lambda: Counting(2), lambda x: x + 2),
    "table": (Pricing, lambda x: x / 3 + np.where(x > 1, 0.25, 0.5)),
}


@pytest.mark.parametrize(("layer", "right"), RESOURCES.values(), ids=RESOURCES)
def test_what_is_outside_of_a_graph_does_not_keep_it_from_float64(layer, right):
    inputs = keras.Input((3,), name="x")
    graph, _ = traced(keras.Model(inputs, layer()(inputs)))
    in_float64(graph)
    x = image(2, 3).astype("float64")
    (got,) = run(graph, x).values()
    np.testing.assert_allclose(got, right(x), rtol=1e-14, atol=0)
