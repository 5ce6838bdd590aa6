"""Models whose layers are written as ONNX operators, with the least around them."""

import collections
from pathlib import Path

import onnx
import onnxruntime

from keras_bin.export.onnx_files.lowering import DEFAULT_LOWERING
from keras_bin.export.onnx_files.writer import DEFAULT_OPSET, _write
from keras_bin.export.preparation import Preparation
from keras_bin.runtimes import ANY


def write(model, lowering=DEFAULT_LOWERING, opset=DEFAULT_OPSET, runtime=ANY, *, path: Path):
    """Writes a model to an ONNX file, unverified; returns the file and how to run it."""
    _write(Preparation(model, runtime=runtime), opset, lowering, path)
    session = onnxruntime.InferenceSession(path)

    def run(*values):
        feed = zip([value.name for value in session.get_inputs()], values, strict=True)
        return session.run(None, dict(feed))[0]

    return onnx.load(path), run


def operators(proto):
    """Counts the operators of a file."""
    return dict(collections.Counter(node.op_type for node in proto.graph.node))
