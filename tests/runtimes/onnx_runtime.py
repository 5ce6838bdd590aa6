"""ONNX Runtime, in Python."""

import importlib.metadata
import importlib.util

from tests.runtimes.runtime import Runtime, Served


def missing():
    if importlib.util.find_spec("onnxruntime") is None:
        return "onnxruntime is missing; install it with: pip install -e '.[onnx]'"
    return None


def serve(exported, artifact, _folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        exported.path(artifact), providers=["CPUExecutionProvider"]
    )
    outputs = _shapes(session.get_outputs())
    results = [
        dict(zip(outputs, session.run(list(outputs), batch), strict=True))
        for batch in exported.batches
    ]
    return Served(_shapes(session.get_inputs()), outputs, results)


def _shapes(infos):
    return {
        info.name: tuple(size if isinstance(size, int) else None for size in info.shape)
        for info in infos
    }


ONNX_RUNTIME = Runtime(
    "ONNX Runtime", ("ONNX",), missing, lambda: importlib.metadata.version("onnxruntime"), serve
)
