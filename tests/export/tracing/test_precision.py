"""Graphs in another precision."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export.tracing.precision import in_float32, in_float64
from tests.export.models import HALF_KINDS
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
