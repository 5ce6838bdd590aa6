"""Writing an ONNX file."""

import os
import time
from pathlib import Path

import keras
import numpy as np

from keras_bin.export.artifact import load_artifact
from keras_bin.export.errors import OperatorError
from keras_bin.export.extras import require_onnx, require_tensorflow
from keras_bin.export.fold import check_model
from keras_bin.export.publish import publish_file, refuse_existing, staging
from keras_bin.export.report import ExportReport
from keras_bin.export.signature import model_signature, serving_function
from keras_bin.export.source import ExportSource
from keras_bin.export.verify import ATOL, RTOL, compare

OPSETS = range(13, 19)
DEFAULT_OPSET = 17


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike,
    opset: int = DEFAULT_OPSET,
    *,
    overwrite: bool = False,
    samples: dict[str, np.ndarray] | None = None,
    atol: float = ATOL,
    rtol: float = RTOL,
) -> ExportReport:
    """Folds a model and writes it to an ONNX file, verified with ONNX Runtime.

    Inputs and outputs keep the model's names, the batch axis is free and called `batch`, and
    only operators of ONNX's own domain are used. The file is written under a hidden name
    beside `path`, checked by `onnx.checker`, run with ONNX Runtime and compared with `model`,
    and only then renamed: a failed export leaves nothing.

    Args:
        model: a built Functional or Sequential model; one without BIN layers is fine. A
            half-precision model is exported in float32, with a warning.
        path: the file to write, by convention `*.onnx`; its folder is made if missing.
        opset: version of the ONNX operator set, from 13 to 18.
        overwrite: whether to replace `path` if it exists.
        samples: see `keras_bin.export.verify`.
        atol: absolute tolerance of the verification, in output units.
        rtol: relative tolerance of the verification.

    Returns:
        An `ExportReport`.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
        ImportError: a package of the `onnx` extra is missing.
        IsADirectoryError: `path` is a folder.
        NotADirectoryError: the folder of `path` is a file, or inside one.
        PermissionError: the folder of `path` cannot be written to.
        RuntimeError: Keras does not run on TensorFlow.
        TypeError: `model` is not a Keras model.
        ValueError: `model` cannot be folded (see `fold`), or `opset` is out of range.
        VerificationError: the written file differs from `model`; a ValueError.

    Example:
        report = keras_bin.export.export_onnx(model, "models/digits.onnx")
        session = onnxruntime.InferenceSession(report.path)
    """
    started = time.perf_counter()
    require_tensorflow()
    require_onnx()
    if opset not in OPSETS:
        raise ValueError(
            f"`opset` must be an integer from {OPSETS[0]} to {OPSETS[-1]}, the versions that are "
            f"tested. Received: opset={opset!r}"
        )
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"`path` must name a file, such as 'model.onnx', not a folder. Received: {str(path)!r}"
        )
    refuse_existing(path, overwrite)
    check_model(model)
    with staging(path.parent) as staged:
        source = ExportSource(model)
        written = staged / path.name
        _write(source.folded, opset, written)
        found = compare(load_artifact(written), source.reference, samples, atol, rtol)
        publish_file(written, path, overwrite)
    return source.report(path, found, time.perf_counter() - started)


def _write(folded, opset, path):
    import onnx
    import tf2onnx

    signature = model_signature(folded)
    serve = serving_function(folded, signature)
    proto, _ = tf2onnx.convert.from_function(serve, serve.input_signature, opset=opset)
    _state(proto.graph.input, signature.inputs)
    _state(proto.graph.output, signature.outputs)
    onnx.checker.check_model(proto, full_check=True)
    _refuse_foreign_operators(proto)
    onnx.save(proto, path)


def _state(values, infos):
    """States the model's order and sizes: `batch` for the batch axis, `<name>_<axis>` if free."""
    by_name = {value.name: value for value in values}
    ordered = [by_name[info.name] for info in infos]
    for value, info in zip(ordered, infos, strict=True):
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for axis, size in enumerate(info.shape):
            if size is not None:
                shape.dim.add(dim_value=size)
            else:
                shape.dim.add(dim_param="batch" if axis == 0 else f"{info.name}_{axis}")
    del values[:]
    values.extend(ordered)


def _refuse_foreign_operators(proto):
    foreign = sorted(
        {f"{node.domain}.{node.op_type}" for node in proto.graph.node if node.domain not in _OWN}
    )
    if foreign or proto.functions:
        raise OperatorError(
            "An exported file may use operators of ONNX's default domain only; replace the layers "
            "that need others. The others are:",
            [*foreign, *(f"function {function.name}" for function in proto.functions)],
        )


_OWN = ("", "ai.onnx")
