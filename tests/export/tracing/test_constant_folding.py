"""What depends on constants alone is worked out once."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export.tracing.constant_folding import fold_constants_of
from tests.export.tracing.graphs import image, kinds, run, stacked, traced
from tests.export.values import predict


def folded(model):
    graph, _ = traced(model)
    fold_constants_of(graph)
    return graph


def test_batch_normalization_becomes_one_multiply_add():
    model = stacked(layers.BatchNormalization())
    graph = folded(model)
    assert kinds(graph) == {"Mul": 1, "AddV2": 1}
    x = image(2, 8, 9, 3)
    np.testing.assert_allclose(run(graph, x).popitem()[1], predict(model, [x])[0], rtol=1e-5)


def test_constants_are_rounded_once():
    """In float32, one more than 2**24 would be lost before it is taken off again."""
    model = stacked(
        layers.Lambda(lambda x: x * (ops.add(ops.multiply(2.0**24, ops.ones(())), 1.0) - 2.0**24))
    )
    graph = folded(model)
    x = image(1, 8, 9, 3)
    np.testing.assert_array_equal(run(graph, x).popitem()[1], x)


def test_what_is_larger_than_its_parts_is_left():
    model = stacked(layers.Lambda(lambda x: x + ops.sum(ops.ones((1000, 1000)) * 2.0)))
    x = image(1, 8, 9, 3)
    np.testing.assert_allclose(run(folded(model), x).popitem()[1], x + 2e6, rtol=1e-6)
    model = stacked(layers.Lambda(lambda x: x[:, :1, :1, :1] + ops.full((1, 300, 300, 1), 2.0)))
    assert "Fill" in kinds(folded(model)) or "BroadcastTo" in kinds(folded(model))


def test_output_that_is_constant_stays_an_output():
    inputs = keras.Input((3,), name="x")
    constant = layers.Lambda(lambda x: ops.full((1, 3), 2.0), output_shape=(3,))
    model = keras.Model(inputs, {"y": ops.relu(inputs), "c": constant(inputs)})
    graph = folded(model)
    got = run(graph, np.ones((2, 3), "float32"))
    np.testing.assert_array_equal(got["c"], [[2.0] * 3])


@pytest.mark.parametrize(
    "stack", [[layers.GRU(3)], [layers.Conv2DTranspose(2, 3)]], ids=["loop", "sizes"]
)
def test_other_graphs_compute_the_same(stack):
    shape = (7, 4) if isinstance(stack[0], layers.GRU) else (8, 9, 3)
    model = stacked(*stack, shape=shape)
    x = image(2, *shape)
    np.testing.assert_allclose(
        run(folded(model), x).popitem()[1], predict(model, [x])[0], rtol=1e-5, atol=1e-5
    )
