#!/usr/bin/env bash
# Guess: tf2onnx converts a reshape to (-1 rows of 3, 1, 4) and the transpose after it, which swaps two axes, to a
#   file that gives the same shape.
# Seen, tf2onnx 1.17.0 with TensorFlow 2.21.0, read by onnxruntime 1.32.0: an input of (6, 4) silently becomes
#   (6, 1, 1, 4) instead of (2, 1, 3, 4). As one of the axes has size 1, the transpose becomes a Reshape; its shape
#   is then written as (0, 1, -1, 4), where 0 copies the size that the first Reshape made; then the first Reshape is
#   merged into it, so 0 copies the size of the input. Attention with one head is written this way. With every
#   optimizer but "reshape_optimizer", the shape is right.
# Fails if the shape becomes right, or if leaving the optimizer out no longer helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx
from tf2onnx import optimizer


@tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
def split(x):
    heads = tf.reshape(x, [tf.shape(x)[0] // 3, -1, 1, 4])
    return tf.transpose(heads, [0, 2, 1, 3])


def shape_in_onnx(x, **optimizers):
    function = split.get_concrete_function()
    names = {"input_names": ["x:0"], "output_names": [function.outputs[0].name]}
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(function.graph.as_graph_def(), name="")
        converted = tf2onnx.tfonnx.process_tf_graph(graph, opset=17, **names)
    proto = optimizer.optimize_graph(converted, **optimizers).make_model("split")
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x:0": x})[0].shape


x = np.arange(24, dtype="float32").reshape(6, 4)
others = {
    "transposes": optimizer.TransposeOptimizer,
    "constants": optimizer.ConstFoldOptimizer,
    "pairs": optimizer.BackToBackOptimizer,
}
found = {
    "TensorFlow": tuple(split(tf.constant(x)).shape),
    "ONNX": shape_in_onnx(x),
    "ONNX without reshape_optimizer": shape_in_onnx(x, optimizers=others),
}
print(found)
assert found["ONNX"] == (6, 1, 1, 4), found
assert found["ONNX without reshape_optimizer"] == found["TensorFlow"] == (2, 1, 3, 4), found
PYTHON
