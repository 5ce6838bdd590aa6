"""Running ONNX files on batches."""

from collections.abc import Callable
from pathlib import Path

from keras_bin.sampling.trial import Batch

Run = Callable[[Batch], Batch]


def in_onnx_runtime(file: Path | bytes, fuses: bool = True) -> Run:
    """Returns a function that runs a file in ONNX Runtime, on the CPU.

    Args:
        file: its path, or its content.
        fuses: whether operators are fused. Otherwise they run one by one, linear ones in float
            between DequantizeLinear and QuantizeLinear. Fused operators may compute something
            else, and fusing has crashed on files written by nncf.
    """
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if fuses else levels.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, batch), strict=True))


def in_openvino(path: Path) -> Run:
    """Returns a function that runs a file in OpenVINO, on the CPU and in float32."""
    import onnx
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    names = [output.name for output in onnx.load(path).graph.output]

    def run(batch):
        results = request.infer(batch)
        values = (results[port].copy() for port in request.model_outputs)
        return dict(zip(names, values, strict=True))

    return run
