"""Functions of TensorFlow converted to ONNX with the exporter's handlers, and run."""

import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx

from keras_bin.export.onnx_files.handlers import handlers


def convert(function, *specs, opset=17):
    """Returns the ONNX model of a function of tensors."""
    traced = tf.function(function, input_signature=specs, autograph=False)
    proto, _ = tf2onnx.convert.from_function(
        traced, list(specs), opset=opset, custom_op_handlers=handlers()
    )
    return proto


def run(proto, *inputs):
    """Returns what ONNX Runtime makes of the inputs, in order."""
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, map(np.asarray, inputs), strict=True)))


def spec(array, free=()):
    """Returns the tf.TensorSpec of an array, with sizes of some axes free."""
    shape = [None if axis in free else size for axis, size in enumerate(array.shape)]
    return tf.TensorSpec(shape, array.dtype)


def kinds(proto):
    """Returns the operators of a model, in order."""
    return [node.op_type for node in proto.graph.node]
