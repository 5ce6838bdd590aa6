"""Quantizing an ONNX file to int8."""

import numbers
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.runtimes import ONNX_RUNTIME
from keras_bin.stages import begin_stage, end_stage, is_verbose, print_line, stages_printed

from ..extras import require_onnx
from ..files.publish import staging
from ..files.remote import refuse_remote
from ..onnx_files.external import publish_with_weights
from ..onnx_files.reader import stated_signature
from ..onnx_files.writer import check_destination
from ..results.changes import warn_of_changes
from ..results.errors import ValuesError
from ..results.quantization_report import QuantizationReport
from ..verifying.artifact import load_artifact
from .calibration import calibration_batches
from .comparison import relative_errors
from .nodes import Nodes, sort_nodes
from .source import finish, quantized_nodes, read_source
from .tools import TOOLS, Tool, Work

MAX_ERROR = 0.1
_SMALL_ERROR = 0.03  # as by rounding to 8 bits


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
    `data`. All that takes statistics of a sample stays in float. Normalization makes small
    channels large, so what it takes must keep its digits in every channel. In OpenVINO, a
    convolution in int8 has its result in float. In ONNX Runtime the result is int8, too, so
    channels are made equally large: where `s` is the largest absolute value of each channel, over
    that of all, weights and bias become `w / s` and `b / s`, and the result is multiplied by `s`
    in float. With fewer than 100 products a value that does not pay, and the convolution stays in
    float. BIN layers whose gates are all 1 are part of a convolution; see `keras_bin.SettleRho`.

    The file is written under a hidden name, checked, run on `data` in its runtime and compared
    with `artifact`, and only then renamed. If an error is above 0.03 and comes from the linear
    operators before statistics, as OpenVINO computes some of them wrongly in int8, these stay in
    float. Serve the file in the runtime that it is for.

    Args:
        artifact: an ONNX file in float32, of operator set 13 or above and with its weights inside;
            best an export with the same `runtime`. Every input has a batch axis, and none is text.
        path: the file to write, by convention `*.onnx`; its folder is made if missing.
        data: a few hundred typical inputs of all domains that are to be served: an array, or a
            dict that maps the name of each input to an array; all finite. They run in batches of
            32, or of the size that the file has; rows that do not fill a batch of that size are
            left out.
        runtime: `"onnxruntime"`, or `"openvino"`, for which nncf quantizes.
        reduce_range: whether weights have 7 bits, for x86 processors without VNNI instructions,
            on which sums of products of 8 bits may overflow.
        max_error: largest relative error of an output, as a share of its norm on `data`; see
            `QuantizationReport.errors`. Above 0 and finite.
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
        ValueError: `artifact` is no ONNX file in float32, has nothing that can be int8, an older
            operator set, or its weights in another file, is `path` itself, or cannot be quantized;
            `data`, `runtime` or `max_error` cannot be used.
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
    if runtime not in list(TOOLS):
        raise ValueError(f"`runtime` must be one of {list(TOOLS)}. Received: runtime={runtime!r}")
    if not (isinstance(max_error, numbers.Real) and 0 < max_error < np.inf):
        raise ValueError(
            f"`max_error` must be a finite number above 0. Received: max_error={max_error!r}"
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
    if path.exists() and path.samefile(artifact):
        raise ArgumentError(
            "`path` must be another file than `artifact`, which stays what int8 is made from. "
            f"Received: {str(path)!r} for both"
        )
    nodes = sort_nodes(source.graph)
    integer = tool.integer(source.graph, nodes)
    _check_worth(integer, nodes, artifact)
    reference = load_artifact(artifact)
    batches = calibration_batches(reference.signature, data)
    with staging(path.parent, path) as staged:
        named, written = staged / "float.onnx", staged / "quantized.onnx"
        onnx.save(source, named)

        def attempt(chosen: list[str]) -> tuple[Any, dict[str, float]]:
            begin_stage("quantize")
            proto = _quantized(tool, Work(named, staged, nodes, chosen, batches, reduce_range))
            finish(proto, source, tool.package, runtime)
            onnx.save(proto, written)
            begin_stage("verify")
            return proto, relative_errors(reference.run, tool.load(written), batches)

        proto, errors = attempt(integer)
        rest = [name for name in integer if name not in nodes.last]
        if max(errors.values()) > _SMALL_ERROR and 0 < len(rest) < len(integer):
            proto, errors = _better((proto, errors), attempt(rest))
            onnx.save(proto, written)
        _check_errors(errors, max_error)
        if overwrite and path.is_file() and path.stat().st_size:  # an empty file has no clients
            warn_of_changes(path, stated_signature, reference.signature, ordered=True)
        begin_stage("publish")
        publish_with_weights(written, path, overwrite)
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
    if not nodes.linear:
        raise ValueError(
            "`artifact` must have convolutions, dense layers or matrix products with constant "
            "weights in float32; there is nothing else to quantize. "
            f"Received: {str(artifact)!r}"
        )
    if not set(integer).intersection(nodes.linear):
        raise ValueError(
            "`artifact` must have a linear operator that is worth running in int8 in ONNX Runtime, "
            "which has kernels for convolutions, dense layers and matrix products, and which takes "
            "100 products a value before statistics; keep the file in float, settle gates at 1 "
            '(keras_bin.SettleRho), or pass runtime="openvino". '
            f"Received: {str(artifact)!r}, with {len(nodes.linear)} linear operators, none worth it"
        )


def _quantized(tool: Tool, work: Work) -> Any:
    """Quantizes a file, and says what to do where the library cannot."""
    import onnx

    try:
        proto = tool.quantize(work)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # those of the libraries share no other class
        raise ValueError(
            f"{tool.package} must be able to quantize the file; keep it in float, or quantize it "
            f"for another runtime. {tool.package} says: {type(error).__name__}: {error}"
        ) from error
    return proto


def _better(
    first: tuple[Any, dict[str, float]], without_last: tuple[Any, dict[str, float]]
) -> tuple[Any, dict[str, float]]:
    """Returns the second of two attempts if most of the error comes from what it leaves in float.

    OpenVINO 2026.4 subtracts the mean of an int8 convolution's result from that result wrongly.
    """
    (_, errors), (_, fewer) = first, without_last
    return without_last if 3 * max(fewer.values()) < max(errors.values()) else first


def _check_errors(errors: Mapping[str, float], max_error: float) -> None:
    wrong = [f"{name!r}: {error:.3g}" for name, error in errors.items() if not error <= max_error]
    if wrong:
        raise ValuesError(
            f"The outputs in int8 must be within {max_error:g} of those in float, as a share of "
            "their norm; give typical `data` of all domains, or a larger `max_error` if the model "
            "can be used with that. The errors are:",
            wrong,
        )
