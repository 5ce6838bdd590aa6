"""What depends only on constants is computed once."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export.tracing.constant_evaluation import evaluate_constants
from tests.export.tracing.graphs import image, kinds, run, stacked, traced
from tests.export.values import predict


def folded(model):
    graph, _ = traced(model)
    evaluate_constants(graph)
    return graph


def test_batch_normalization_becomes_one_multiply_add():
    model = stacked(layers.BatchNormalization())
    graph = folded(model)
    assert kinds(graph) == {"Mul": 1, "AddV2": 1}
    x = image(2, 8, 9, 3)
    np.testing.assert_allclose(run(graph, x).popitem()[1], predict(model, [x])[0], rtol=1e-5)


def test_constants_are_rounded_once():
    def scaled(x):
        factor = tenth = ops.full((), 0.1)
        for _ in range(6):
            factor = factor * tenth
        return x * factor

    graph = folded(stacked(layers.Lambda(scaled)))
    (node,) = [node for node in graph.definition.node if node.op == "Mul"]
    values = [graph.constant(tensor) for tensor in graph.data_inputs(node)]
    (factor,) = [value for value in values if value is not None]
    exact = np.float32(np.float64(np.float32(0.1)) ** 7)
    step_by_step = np.float32(0.1)
    for _ in range(6):
        step_by_step = step_by_step * np.float32(0.1)
    assert factor == exact != step_by_step


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


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + ops.arange(0.0, 0.3, 0.1),
        lambda x: x * ops.floor(ops.multiply(ops.full((), 0.7), 10.0)),
    ],
    ids=["range", "floor"],
)
def test_what_is_counted_is_counted_in_the_precision_of_the_model(function):
    """In float64 the range to float32's 0.3 has a fourth element, and 0.7 * 10 is below 7."""
    model = stacked(layers.Lambda(function, output_shape=(8, 9, 3)))
    x = image(2, 8, 9, 3)
    np.testing.assert_allclose(
        run(folded(model), x).popitem()[1], predict(model, [x])[0], rtol=1e-6, atol=1e-6
    )
