"""What tf2onnx makes of a graph has the shapes of TensorFlow."""

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from keras_bin.export.onnx_files.graph_conversion import converted_graph


@pytest.mark.parametrize("heads", [1, 2])
def test_reshape_after_a_reshape_keeps_sizes_of_the_first(heads):
    """With one head the transpose moves an axis of size 1: tf2onnx makes a Reshape of it, too."""

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    def parted(x):
        parts = tf.reshape(x, [tf.shape(x)[0] // 3, -1, heads, 4 // heads])
        return tf.transpose(parts, [0, 2, 1, 3])

    function = parted.get_concrete_function()
    (fed,), (read,) = function.inputs, function.outputs
    definition = function.graph.as_graph_def()
    names = {fed.name: "x", read.name: "y"}
    proto = converted_graph(definition, [fed.name], [read.name], names, 17, {})
    x = np.arange(24, dtype="float32").reshape(6, 4)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (y,) = session.run(["y"], {"x": x})
    np.testing.assert_array_equal(y, parted(x))
    assert y.shape == (2, heads, 3, 4 // heads)
