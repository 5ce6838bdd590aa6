"""Quantizing an ONNX file to int8."""

import importlib.metadata
import numbers
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.networks.signature import Signature
from keras_bin.runtimes import ONNX_RUNTIME
from keras_bin.sampling.batches import given_arrays, rows
from keras_bin.sampling.trial import Batch
from keras_bin.stages import begin_stage, end_stage, is_verbose, print_line, stages_printed

from ..extras import require_onnx
from ..files.publish import publish_file, staging
from ..files.remote import refuse_remote
from ..onnx_files.writer import check_destination
from ..results.errors import ValuesError
from ..results.quantization_report import QuantizationReport
from ..verifying.artifact import load_artifact
from .comparison import relative_errors
from .nodes import Nodes, sort_nodes
from .source import finish, quantized_nodes, read_source
from .tools import TOOLS

MAX_ERROR = 0.2
_BATCH = 32


def quantize_onnx(
    artifact: str | os.PathLike[str],
    path: str | os.PathLike[str],
    data: np.ndarray | Mapping[str, np.ndarray],
    *,
    runtime: str = ONNX_RUNTIME,
    reduce_range: bool = False,
    max_error: float = MAX_ERROR,
    overwrite: bool = False,
    verbose: bool | None = None,
) -> QuantizationReport:
    """Quantizes an ONNX file to int8, with the statistics of samples in float.

    Weights get a scale for each channel and activations one for each tensor, from their ranges on
    `data`. All that takes statistics of a sample stays in float. What they are taken of must keep
    its digits in each channel, as normalization makes small channels large: OpenVINO leaves the
    result of a convolution in int8 in float; ONNX Runtime, whose results are int8, too, gets
    channels made equally large by their weights, or the convolution in float where that is as
    fast. BIN layers whose gates are all 1 are part of a convolution, see `keras_bin.SettleRho`.

    The file is written under a hidden name, checked, run on `data` in its runtime and compared
    with `artifact`, and only then renamed. It has operators of ONNX's own domain alone, so that
    other runtimes run it, too.

    Args:
        artifact: an ONNX file in float, of operator set 13 or above and with its weights inside;
            best an export with the same `runtime`.
        path: the file to write, by convention `*.onnx`; its folder is made if missing.
        data: a few hundred typical inputs of all domains that are to be served: an array, or a
            dict that maps the name of each input to an array.
        runtime: `"onnxruntime"`, or `"openvino"`, for which nncf quantizes.
        reduce_range: whether weights have 7 bits, for x86 processors without VNNI instructions,
            on which sums of products of 8 bits may overflow.
        max_error: largest relative error of an output, see `QuantizationReport.errors`.
        overwrite: whether to replace `path` if it exists.
        verbose: whether to print each stage and its seconds. As in `export_onnx`, None means True.

    Returns:
        A `QuantizationReport`.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
        FileNotFoundError: there is no file `artifact`.
        ImportError: a package of the extra `onnx` is missing or, for OpenVINO, of `int8`.
        IsADirectoryError: `path` is a folder.
        OSError: `path` cannot be written, or the disk is full.
        ValueError: `artifact` is no ONNX file in float, has nothing that can be int8, an older
            operator set, or its weights in another file; `data`, `runtime` or `max_error` cannot
            be used.
        ValuesError: an output moves by more than `max_error`, or is not finite.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> import numpy as np
    >>> from keras_bin.export import export_onnx, quantize_onnx
    >>> inputs = keras.Input((16, 16, 3), name="image")
    >>> x = keras.layers.Conv2D(8, 3, use_bias=False)(inputs)
    >>> x = keras.layers.ReLU()(keras_bin.BatchInstanceNormalization()(x))
    >>> model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="features")(x))
    >>> images = np.random.default_rng(0).random((64, 16, 16, 3), "float32")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = export_onnx(model, f"{folder}/net.onnx", verbose=False).path
    ...     report = quantize_onnx(file, f"{folder}/int8.onnx", images, verbose=False)
    >>> report.quantized, report.linear, report.errors["features"] < 0.05
    (1, 1, True)
    """
    check_quantization(path, runtime, max_error, overwrite)
    refuse_remote(artifact)
    with stages_printed(verbose):
        report = write_quantized(
            Path(artifact), Path(path), data, runtime, reduce_range, max_error, overwrite
        )
    if is_verbose(verbose):
        print_line(f"Saved artifact at {str(report.path)!r}.")
    return report


def check_quantization(
    path: str | os.PathLike[str], runtime: str, max_error: float, overwrite: bool
) -> None:
    """Checks what does not depend on the file in float; raises what `quantize_onnx` does."""
    if runtime not in TOOLS:
        raise ValueError(f"`runtime` must be one of {list(TOOLS)}. Received: runtime={runtime!r}")
    if not (isinstance(max_error, numbers.Real) and max_error > 0):
        raise ValueError(
            "`max_error` must be a number above 0, as a share of the output's norm. "
            f"Received: max_error={max_error!r}"
        )
    require_onnx()
    TOOLS[runtime].require()
    check_destination(path, overwrite)


def write_quantized(
    artifact: Path,
    path: Path,
    data: np.ndarray | Mapping[str, np.ndarray],
    runtime: str,
    reduce_range: bool,
    max_error: float,
    overwrite: bool,
) -> QuantizationReport:
    """Quantizes a file, and checks `artifact` and `data` alone; see `quantize_onnx`."""
    import onnx

    start, tool = time.perf_counter(), TOOLS[runtime]
    begin_stage("load")
    source = read_source(artifact)
    nodes = sort_nodes(source.graph)
    _check_worth(tool.linear(source.graph, nodes), nodes, artifact)
    reference = load_artifact(artifact)
    batches = _batches(reference.signature, data)
    with staging(path.parent, path) as staged:
        begin_stage("quantize")
        named, written = staged / "float.onnx", staged / f"{path.name}.int8"
        onnx.save(source, named)
        proto = tool.quantize(named, staged, nodes, batches, reduce_range)
        version = importlib.metadata.version(tool.package)
        finish(proto, source, f"{tool.package} {version}", runtime)
        onnx.save(proto, written, format="protobuf")
        onnx.checker.check_model(str(written), full_check=True)
        begin_stage("verify")
        errors = relative_errors(reference.run, tool.load(written), batches)
        _check_errors(errors, max_error)
        begin_stage("publish")
        publish_file(written, path, overwrite)
        end_stage()
    return QuantizationReport(
        path=path,
        runtime=runtime,
        quantized=len(quantized_nodes(proto.graph, nodes.linear)),
        linear=len(nodes.linear),
        errors=errors,
        size=path.stat().st_size,
        float_size=artifact.stat().st_size,
        seconds=time.perf_counter() - start,
    )


def _check_worth(integer: list[str], nodes: Nodes, artifact: Path) -> None:
    if not integer:
        raise ValueError(
            "`artifact` must have a convolution, dense layer or matrix product with constant "
            "weights that is worth running in int8; keep it in float, or settle gates at 1 first "
            f"(keras_bin.SettleRho). Received: {str(artifact)!r}, which has {len(nodes.linear)} "
            "of them, none worth it"
        )


def _batches(signature: Signature, data: np.ndarray | Mapping[str, np.ndarray]) -> list[Batch]:
    """Returns the data in batches of 32, or of the number of rows that the file takes."""
    if not isinstance(data, Mapping):
        if len(signature.inputs) != 1:
            names = [info.name for info in signature.inputs]
            raise ArgumentError(
                "`data` must map the name of every input to an array where there are several. "
                f"Received: {type(data).__name__} for inputs {names}"
            )
        data = {signature.inputs[0].name: data}
    fixed = {size for info in signature.inputs for size in info.shape[:1] if size is not None}
    arrays = given_arrays(signature, data, "data", max(fixed, default=1))
    for info in signature.inputs:
        shape = arrays[info.name].shape
        if len(shape) != len(info.shape) or any(
            want not in (None, have) for want, have in zip(info.shape[1:], shape[1:], strict=True)
        ):
            raise ArgumentError(
                f"`data` must have the shapes of the inputs, {info.shape} for {info.name!r}. "
                f"Received: {shape}"
            )
    size = max(fixed, default=_BATCH)
    rest = rows(arrays) % size if fixed else 0
    return [
        {name: array[start : start + size] for name, array in arrays.items()}
        for start in range(0, rows(arrays) - rest, size)
    ]


def _check_errors(errors: Mapping[str, float], max_error: float) -> None:
    wrong = [f"{name!r}: {error:.3g}" for name, error in errors.items() if not error <= max_error]
    if wrong:
        raise ValuesError(
            f"The outputs in int8 must be within {max_error:g} of those in float, as a share of "
            "their norm; give typical `data` of all domains, or another `max_error` if that is "
            "what the model can be used with. The errors are:",
            wrong,
        )
