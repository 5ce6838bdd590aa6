#!/usr/bin/env bash
# Guess: nncf.quantize(model, ..., fast_bias_correction=False), the slower and more exact bias correction, accepts an
#   ONNX model with a residual addition, as the fast one does.
# Seen, nncf 3.4.0, onnx 1.23.2, onnxruntime 1.32.0: both quantize a chain of convolutions with biases. If an earlier
#   result is added, the exact correction raises KeyError: 'make_a', the name of the convolution before the branch (in a
#   ResNet-20, "Duplicate definition-site"). The fast one accepts it, and so does the exact one without biases.
# Fails if the residual model is accepted, or a chain is not.
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

GRAPHS = {
    "chain": "a = Conv <pads = [1, 1, 1, 1]> (x, w, c) r = Relu(a) y = Conv <pads = [1, 1, 1, 1]> (r, v, c)",
    "residual": "a = Conv <pads = [1, 1, 1, 1]> (x, w, c) r = Relu(a) "
                "b = Conv <pads = [1, 1, 1, 1]> (r, v, c) y = Add(b, r)",
}
rng = np.random.default_rng(0)
data = [{"x": rng.normal(size=(1, 8, 16, 16)).astype("float32")} for _ in range(8)]


def quantize(text, fast):
    graph = onnx.parser.parse_graph(f"g (float[n, 8, 16, 16] x) => (float[n, 8, 16, 16] y) {{ {text} }}")
    for name in "wv":
        kernel = (rng.normal(size=(8, 8, 3, 3)) / 8).astype("float32")
        graph.initializer.append(onnx.numpy_helper.from_array(kernel, name))
    graph.initializer.append(onnx.numpy_helper.from_array(np.full(8, 0.1, "float32"), "c"))
    for node in graph.node:
        node.name = f"make_{node.output[0]}"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    try:
        nncf.quantize(model, nncf.Dataset(data), fast_bias_correction=fast)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "quantized"


found = {(kind, "fast" if fast else "exact"): quantize(text, fast)
         for kind, text in GRAPHS.items() for fast in (True, False)}
print("found", found)
error = found.pop(("residual", "exact"))
assert set(found.values()) == {"quantized"} and error.startswith("KeyError"), (found, error)
PYTHON
