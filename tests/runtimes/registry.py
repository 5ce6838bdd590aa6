"""All runtimes, and what is not among them."""

from tests.runtimes.c_loader import C_LOADER
from tests.runtimes.litert_runtime import LITERT
from tests.runtimes.node_web import NODE_WEB
from tests.runtimes.onnx_runtime import ONNX_RUNTIME
from tests.runtimes.openvino_runtime import OPENVINO

RUNTIMES = (C_LOADER, ONNX_RUNTIME, NODE_WEB, OPENVINO, LITERT)
NOT_TESTED = (
    "TensorFlow Serving's own server",
    "Triton",
    "TensorRT",
    "Core ML",
    "TensorFlow.js",
    "browsers",
)
