#!/usr/bin/env bash
# Guess: ONNX's Mod with fmod=1, C's remainder, is exact for int64, as Div and Mod without fmod are.
# Seen, onnxruntime 1.20.1 and 1.31.1 on Linux (x86_64): it divides in float64, which rounds integers beyond 2**53. The
#   remainder of 2**53 + 1 by 2 is 0, not 1. onnxruntime 1.32.0 is exact.
# Fails if either changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/remainders.py" <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

x, y, *outputs = (helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in "xyabq")
nodes = [
    helper.make_node("Mod", ["x", "y"], ["a"], fmod=1),
    helper.make_node("Mod", ["x", "y"], ["b"]),
    helper.make_node("Div", ["x", "y"], ["q"]),
]
graph = helper.make_graph(nodes, "remainders", [x, y], outputs)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
given = {"x": np.array([2**53 + 1]), "y": np.array([2])}
print("with fmod, without, Div:", *(each[0] for each in session.run(None, given)))
PYTHON
for version in 1.20.1 1.31.1 1.32.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "onnxruntime==$version" onnx==1.19.1 numpy==2.2.6
    "$folder/$version/bin/python" "$folder/remainders.py" > "$folder/$version.txt"
    echo "onnxruntime $version: $(cat "$folder/$version.txt")"
done
# Output:
# onnxruntime 1.20.1: with fmod, without, Div: 0 1 4503599627370496
# onnxruntime 1.31.1: with fmod, without, Div: 0 1 4503599627370496
# onnxruntime 1.32.0: with fmod, without, Div: 1 1 4503599627370496
grep -q ': 0 1 4503599627370496$' "$folder/1.20.1.txt"
grep -q ': 0 1 4503599627370496$' "$folder/1.31.1.txt"
grep -q ': 1 1 4503599627370496$' "$folder/1.32.0.txt"
