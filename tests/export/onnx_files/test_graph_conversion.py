"""Graphs converted by tf2onnx have the shapes of TensorFlow."""

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from keras_bin.export.onnx_files.graph_conversion import converted_graph


@pytest.mark.parametrize("heads", [1, 2])
def test_reshape_after_a_reshape_keeps_sizes_of_the_first(heads):
    """With one head, tf2onnx turns the transpose of an axis of size 1 into a Reshape as well."""

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    def parted(x):
        parts = tf.reshape(x, [tf.shape(x)[0] // 3, -1, heads, 4 // heads])
        return tf.transpose(parts, [0, 2, 1, 3])

    x = np.arange(24, dtype="float32").reshape(6, 4)
    y = _converted(parted)(x)
    np.testing.assert_array_equal(y, parted(x))
    assert y.shape == (2, heads, 3, 4 // heads)


def test_optimizer_that_fails_is_left_out(monkeypatch):
    """It may stop halfway: here the only node reads something else."""

    def fail(_, graph):
        node = next(node for node in graph.get_nodes() if node.type == "Sub")
        graph.replace_input(node, node.input[1], node.input[0], 1)
        raise RuntimeError("half of the work is done")

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
    def subtracted(x):
        return x - [1.0, 2.0, 3.0]

    monkeypatch.setattr("tf2onnx.optimizer.IdentityOptimizer._optimize", fail)
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(_converted(subtracted)(x), subtracted(x))


def _converted(function):
    """Converts a function of one tensor, and returns a function that runs the result."""
    concrete = function.get_concrete_function()
    (fed,), (read,) = concrete.inputs, concrete.outputs
    definition = concrete.graph.as_graph_def()
    names = {fed.name: "x", read.name: "y"}
    proto = converted_graph(definition, [fed.name], [read.name], names, 17, {})
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return lambda x: session.run(["y"], {"x": x})[0]
