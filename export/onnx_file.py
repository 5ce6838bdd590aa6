"""Writing an ONNX file."""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np

import keras_bin
from keras_bin.export.artifact import load_artifact
from keras_bin.export.constants import check_rho_tolerance
from keras_bin.export.errors import OperatorError, VerificationError
from keras_bin.export.extras import require_onnx, require_tensorflow
from keras_bin.export.graph import check_model
from keras_bin.export.lowering import (
    DEFAULT_LOWERING,
    MarkedBatchInstanceNormalization,
    check_lowering,
    converter,
)
from keras_bin.export.plain import plain
from keras_bin.export.publish import publish_file, refuse_existing, staging
from keras_bin.export.report import ExportReport
from keras_bin.export.signature import model_signature, serving_function
from keras_bin.export.source import ExportSource
from keras_bin.export.verify import check_tolerances, compare

OPSETS = range(13, 19)
DEFAULT_OPSET = 17


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike,
    opset: int = DEFAULT_OPSET,
    *,
    lowering: str = DEFAULT_LOWERING,
    rho_tolerance: float = 0.0,
    overwrite: bool = False,
    samples: dict[str, np.ndarray] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
) -> ExportReport:
    """Folds a model and writes it to an ONNX file, verified with ONNX Runtime.

    Inputs and outputs keep the model's names, the batch axis is free and called `batch`, and
    only operators of ONNX's own domain are used. The file is written under a hidden name
    beside `path`, checked by `onnx.checker`, run with ONNX Runtime and compared with `model`,
    and only then renamed: a failed export leaves nothing.

    Args:
        model: as for `fold`; one without BIN layers is fine. A half-precision model is exported
            in float32, with a warning.
        path: the file to write, by convention `*.onnx`; its folder is made if missing.
        opset: version of the ONNX operator set, from 13 to 18.
        lowering: how statistics of a sample are computed: by the operator that accelerators and
            quantizers know, `"instance_normalization"`, or by arithmetic, `"reduce_mean"`.
        rho_tolerance: see `fold`.
        overwrite: whether to replace `path` if it exists.
        samples: see `keras_bin.export.verify`.
        atol: see `keras_bin.export.verify`.
        rtol: see `keras_bin.export.verify`.

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
        ValueError: `model` cannot be folded (see `fold`), or `opset`, `lowering` or
            `rho_tolerance` is out of range.
        VerificationError: the written file differs from `model`; a ValueError.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_onnx
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = export_onnx(model, f"{folder}/model.onnx")
    >>> report.path.name, report.layers_folded
    ('model.onnx', 1)
    """
    started = time.perf_counter()
    require_tensorflow()
    require_onnx()
    check_opset(opset)
    check_lowering(lowering)
    check_rho_tolerance(rho_tolerance)
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"`path` must name a file, such as 'model.onnx', not a folder. Received: {str(path)!r}"
        )
    refuse_existing(path, overwrite)
    check_model(model)
    check_tolerances(atol, rtol)
    with staging(path.parent) as staged:
        source = ExportSource(model, rho_tolerance, MarkedBatchInstanceNormalization)
        written = staged / path.name
        _write(source, opset, lowering, written)
        found = compare(load_artifact(written), source.reference, samples, atol, rtol)
        snapping = source.snapping_difference(samples)
        publish_file(written, path, overwrite)
    return source.report(path, found, snapping, time.perf_counter() - started)


def check_opset(opset: int) -> None:
    """Checks that `opset` is one that is tested.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(opset, int) or opset not in OPSETS:
        raise ValueError(
            f"`opset` must be an integer from {OPSETS[0]} to {OPSETS[-1]}, the versions that are "
            f"tested. Received: opset={opset!r}"
        )


def _write(source, opset, lowering, path):
    import onnx
    import tf2onnx

    signature = model_signature(source.folded)
    serve = _frozen(serving_function(source.folded, signature), signature)
    proto, _ = tf2onnx.convert.from_function(
        serve,
        serve.input_signature,
        opset=opset,
        custom_op_handlers={
            "CheckNumerics": (converter(source.folded, lowering), []),
            "Erfc": (_convert_erfc, []),
        },
    )
    _refuse_foreign_operators(proto)
    _state(proto.graph.input, signature.inputs)
    _state(proto.graph.output, signature.outputs)
    _describe(proto, source, lowering)
    _check(proto)
    onnx.save(proto, path)


def _frozen(serve, signature):
    """Returns `serve` with everything that it captures turned into constants.

    tf2onnx declares captured tensors, such as the mean of a Normalization layer, as inputs.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    frozen = convert_to_constants.convert_variables_to_constants_v2(
        serve.get_concrete_function(), lower_control_flow=False, aggressive_inlining=True
    )
    if len(frozen.inputs) != len(signature.inputs):
        raise OperatorError(
            "ONNX has no lookup tables; move layers such as StringLookup, IntegerLookup and "
            "TextVectorization out of the model, or export a SavedModel. Tables found:",
            [tensor.name for tensor in frozen.inputs[len(signature.inputs) :]],
        )
    names = sorted(info.name for info in signature.outputs)  # as TensorFlow flattens a dict

    @tf.function(input_signature=serve.input_signature, autograph=False)
    def serve_frozen(*tensors):
        return dict(zip(names, frozen(*tensors), strict=True))

    return serve_frozen


def _convert_erfc(graph, node, _name, _arguments):
    """Converts Erfc, which TensorFlow's GELU is made of and tf2onnx 1.17 does not know."""
    from tf2onnx.utils import map_onnx_to_numpy_type

    dtype = map_onnx_to_numpy_type(graph.get_dtype(node.input[0]))
    one = graph.make_const(f"{node.name}_one", np.array(1, dtype))
    erf = graph.make_node("Erf", [node.input[0]])
    shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, node.output
    graph.remove_node(node.name)
    graph.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=outputs, shapes=shapes, dtypes=dtypes
    )


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


def _describe(proto, source, lowering):
    """States who wrote the file from what, in the file's own metadata."""
    import onnx
    import tf2onnx

    proto.producer_name = "keras-bin"
    proto.producer_version = keras_bin.__version__
    proto.doc_string = ""
    proto.graph.name = source.folded.name
    onnx.helper.set_model_props(
        proto,
        {
            "keras_bin": keras_bin.__version__,
            "keras": keras.__version__,
            "tf2onnx": tf2onnx.__version__,
            "lowering": lowering,
            "layers": json.dumps(plain(source.layers)),
            "rho": json.dumps(plain(source.rho)),
        },
    )


def _check(proto):
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise VerificationError(
            "The ONNX checker must accept the file; tf2onnx has converted a layer wrongly, so "
            "replace that layer, or export a SavedModel. The checker says:",
            [str(error).strip()],
        ) from error


def _refuse_foreign_operators(proto):
    import onnx

    foreign = sorted(
        {
            f"{node.domain or 'TensorFlow'}.{node.op_type}"
            for node in proto.graph.node
            if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type)
        }
    )
    if foreign:
        raise OperatorError(
            "An ONNX file may use operators of ONNX's default domain only; replace the layers "
            "that need others, or export a SavedModel. The others are:",
            foreign,
        )
