#!/usr/bin/env bash
# Guess: an InstanceNormalization (ONNX opset 17, epsilon 1e-3) of a constant image gives its bias, here 0, as the
#   image minus its mean is 0.
# Seen, onnxruntime 1.32.0, openvino 2026.4.1 and onnx 1.23.2 on a processor with AVX-512: for a constant -37.3,
#     size      ONNX Runtime   OpenVINO, f32   reference evaluator
#     8x8       0              0               0
#     224x224   6.6e-02        3.4e-02         1.2e-04
#   The mean is summed up in float32, and 1 / sqrt(epsilon) magnifies its rounding 32 times. A graph that subtracts
#   one element of the image first gives exactly 0 in all three.
# Fails if ONNX Runtime's result at 224x224 is below 1e-3, or if the subtraction no longer helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnx.reference
import onnxruntime
import openvino
from onnx import TensorProto, helper


def write(size, subtract):
    values = {"scale": [1.0], "bias": [0.0]}
    tensors = [helper.make_tensor(name, TensorProto.FLOAT, [1], value) for name, value in values.items()]
    for name, value in {"starts": [0, 0], "ends": [1, 1], "axes": [2, 3]}.items():
        tensors.append(helper.make_tensor(name, TensorProto.INT64, [2], value))
    nodes, source = [], "x"
    if subtract:
        nodes = [
            helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["first"]),
            helper.make_node("Sub", ["x", "first"], ["distance"]),
        ]
        source = "distance"
    nodes.append(helper.make_node("InstanceNormalization", [source, "scale", "bias"], ["y"], epsilon=1e-3))
    shape = [1, 1, size, size]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "m.onnx")


def results(x):
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    yield "ONNX Runtime", session.run(None, {"x": x})[0]
    core = openvino.Core()
    compiled = core.compile_model(core.read_model("m.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    yield "OpenVINO", compiled({"x": x})[0]
    yield "reference evaluator", onnx.reference.ReferenceEvaluator("m.onnx").run(None, {"x": x})[0]


for subtract in (False, True):
    for size in (8, 224):
        write(size, subtract)
        x = np.full((1, 1, size, size), -37.3, "float32")
        largest = {name: float(np.abs(y).max()) for name, y in results(x)}
        print("one element subtracted first" if subtract else "as it is", f"{size}x{size}", largest)
        if subtract:
            assert not any(largest.values()), largest
        elif size == 224:
            assert largest["ONNX Runtime"] > 1e-3, largest
PYTHON
