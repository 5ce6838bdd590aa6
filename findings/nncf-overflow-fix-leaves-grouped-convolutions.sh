#!/usr/bin/env bash
# Guess: nncf.quantize(..., overflow_fix=OverflowFix.ENABLE) gives all int8 weights half the range, so that sums of two
#   products fit in 16 bits on x86 processors without VNNI.
# Seen, nncf 3.4.0, onnx 1.23.2, onnxruntime 1.32.0: of an ONNX model, plain convolutions get weights of at most 64.
#   Those of a convolution with group = 4 go on to 127, as without the fix. On an AVX2 processor OpenVINO 2026.4.1
#   then computes that convolution wrongly (relative error 0.080; 0.018 if its weights are halved).
# Fails if the grouped convolution gets half the range, or the plain one does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nncf==3.4.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | grep '^found'
import nncf
import numpy as np
import onnx
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

rng = np.random.default_rng(0)
data = [{"x": rng.normal(size=(1, 64, 8, 8)).astype("float32")} for _ in range(8)]


def largest_weight(groups, fix):
    graph = onnx.parser.parse_graph(
        f"g (float[n, 64, 8, 8] x) => (float[n, 16, 6, 6] y) {{ y = Conv <group = {groups}> (x, w) }}"
    )
    kernel = rng.normal(size=(16, 64 // groups, 3, 3)).astype("float32")
    graph.initializer.append(onnx.numpy_helper.from_array(kernel, "w"))
    graph.node[0].name = "convolution"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    parameters = AdvancedQuantizationParameters(overflow_fix=fix)
    quantized = nncf.quantize(model, nncf.Dataset(data), advanced_parameters=parameters)
    arrays = map(onnx.numpy_helper.to_array, quantized.graph.initializer)
    return max(int(np.abs(a.astype(int)).max()) for a in arrays if a.dtype == np.int8 and a.ndim == 4)


found = {(groups, fix.name): largest_weight(groups, fix)
         for groups in (1, 4) for fix in (OverflowFix.ENABLE, OverflowFix.DISABLE)}
print("found", found)
plain, grouped = ((found[groups, "ENABLE"], found[groups, "DISABLE"]) for groups in (1, 4))
assert plain[0] <= 64 < plain[1] and grouped[0] == grouped[1] > 64, found
PYTHON
