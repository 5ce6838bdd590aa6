"""Quantizing an ONNX file to int8."""

import contextlib
import numbers
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.runtimes import ONNX_RUNTIME
from keras_bin.sampling.trial import Batch
from keras_bin.stages import begin_stage, end_stage, is_verbose, print_line, stages_printed

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
from .overflow import overflows
from .result import count_quantized, finish
from .running import Run, in_onnx_runtime
from .source import read_source
from .tools import TOOLS, Tool, Work

MAX_ERROR = 0.1
_ROUNDING = 5e-3
_ADVICE = (
    "export the file in float with the old names as `input_names` and `output_names` "
    "(--input-names and --output-names in a shell)"
)


def quantize_onnx(
    artifact: str | os.PathLike[str],
    path: str | os.PathLike[str],
    data: np.ndarray | Mapping[str, np.ndarray],
    *,
    runtime: str = ONNX_RUNTIME,
    reduce_range: bool | None = None,
    max_error: float = MAX_ERROR,
    overwrite: bool = False,
    verbose: bool | None = None,
) -> QuantizationReport:
    """Quantizes an ONNX file to int8, with the statistics of samples in float.

    Weights get a scale for each channel and activations one for each tensor, from their ranges on
    `data`. Everything that computes statistics of a sample stays in float. Normalization makes
    small channels large, so its input must keep enough digits in every channel. In OpenVINO, the
    result of an int8 convolution is float. In ONNX Runtime it is int8, too, so channels are made
    equally large: weights and bias become `w / s` and `b / s`, where `s` is the largest absolute
    value of each channel over that of all, and the result is multiplied by `s` in float. This does
    not pay off with fewer than 100 products per value, so such convolutions stay in float.
    BIN layers whose gates are all 1 are part of a convolution; see `keras_bin.SettleRho`.

    The file is written under a hidden name, checked, run on `data` in its runtime and compared
    with `artifact`, and only then renamed. If the runtime makes more than twice the error that its
    operators make one by one (OpenVINO does, if a mean is subtracted from an int8 result), the
    linear operators before statistics stay in float. Serve the file in the runtime that it is for.

    Args:
        artifact: an ONNX file in float32, of operator set 13 or above, with its weights inside;
            preferably exported with the same `runtime`. Every input has a batch axis, none is text.
        path: the file to write, by convention `*.onnx`; its folder is created if missing.
        data: a few hundred typical inputs from all domains to be served: an array, or a dict that
            maps the name of each input to an array; all finite. They run in batches of 32, or of
            the fixed batch size of the file; rows that do not fill a batch of fixed size are left
            out.
        runtime: `"onnxruntime"`, or `"openvino"`, for which nncf quantizes.
        reduce_range: whether weights have 7 bits. By default (None) they have 8, or 7 if sums of
            8-bit products overflow in `runtime` on this processor, which is tried; on x86
            processors without VNNI instructions they do. Pass True if the file is to be served on
            such a processor.
        max_error: largest relative error of an output, as a share of its norm on `data`; see
            `QuantizationReport.errors`. Above 0 and finite.
        overwrite: whether to replace `path` if it exists.
        verbose: whether to print each stage and its duration. As in `export_onnx`, None means True.

    Returns:
        A `QuantizationReport`.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
        FileNotFoundError: there is no file `artifact`.
        ImportError: a package of the extra `onnx` or, for OpenVINO, `int8` is missing.
        IsADirectoryError: `path` is a folder.
        OSError: `path` cannot be written, or the disk is full.
        ValueError: `artifact` is not an ONNX file in float32, has nothing that can be int8, an
            older operator set, or its weights in another file, is `path` itself, or cannot be
            quantized; or `data`, `runtime` or `max_error` cannot be used.
        ValuesError: the error of an output is above `max_error`, or it is not finite.

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
    _check_settings(path, runtime, max_error, overwrite)
    refuse_remote(artifact)
    with stages_printed(verbose):
        report = _write(
            Path(artifact), Path(path), data, runtime, reduce_range, max_error, overwrite
        )
    if is_verbose(verbose):
        print_line(f"Saved artifact at {str(report.path)!r}.")
    return report


def _check_settings(
    path: str | os.PathLike[str], runtime: str, max_error: float, overwrite: bool
) -> None:
    if runtime not in list(TOOLS):
        raise ValueError(f"`runtime` must be one of {list(TOOLS)}. Received: runtime={runtime!r}")
    if not (isinstance(max_error, numbers.Real) and 0 < max_error < np.inf):
        raise ValueError(
            f"`max_error` must be a finite number above 0. Received: max_error={max_error!r}"
        )
    TOOLS[runtime].require()
    check_destination(path, overwrite)


def _write(
    artifact: Path,
    path: Path,
    data: np.ndarray | Mapping[str, np.ndarray],
    runtime: str,
    reduce_range: bool | None,
    max_error: float,
    overwrite: bool,
) -> QuantizationReport:
    import onnx

    start, tool = time.perf_counter(), TOOLS[runtime]
    begin_stage("load")
    source = read_source(artifact)
    if path.exists() and path.samefile(artifact):
        raise ArgumentError(
            "`path` must not be `artifact`, from which the int8 file is made; choose another path. "
            f"Received: {str(path)!r} for both"
        )
    nodes = sort_nodes(source.graph)
    integer = tool.integer(source.graph, nodes)
    _check_worth(integer, nodes, artifact)
    reference = load_artifact(artifact)
    batches = calibration_batches(reference.signature, data)
    reference.run(batches[0])  # raises an error if the model does not take the sizes of the data
    with staging(path.parent, path) as staged:
        named, written = staged / "float.onnx", staged / "quantized.onnx"
        onnx.save(source, named)
        rest = [name for name in integer if name not in nodes.last]
        if reduce_range is None:
            with _in_words(f"{tool.runtime} must be able to run convolutions in int8"):
                reduce_range = overflows(tool.load, staged)
        for chosen in (integer, rest):
            begin_stage("quantize")
            proto = _quantized(tool, Work(named, staged, nodes, chosen, batches, reduce_range))
            finish(proto, source, tool.package, runtime)
            onnx.save(proto, written)
            begin_stage("verify")
            errors, is_computed = _errors(tool, written, reference.run, batches)
            if is_computed:
                break
            if chosen == rest or not set(rest).intersection(nodes.linear):
                raise _wrong_in_int8(artifact, runtime)
        _check_errors(errors, max_error)
        if overwrite and path.is_file() and path.stat().st_size:  # an empty file has no clients
            signature = reference.signature
            warn_of_changes(path, stated_signature, signature, ordered=True, advice=_ADVICE)
        begin_stage("publish")
        publish_with_weights(written, path, overwrite)
        end_stage()
    return QuantizationReport(
        path=path,
        runtime=runtime,
        quantized=count_quantized(proto.graph, nodes.linear),
        linear=len(nodes.linear),
        weight_bits=7 if reduce_range else 8,
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
            "`artifact` must have a linear operator that is worth running in int8 in ONNX Runtime: "
            "a convolution, dense layer or matrix product that it has a kernel for, with 100 or "
            "more products per value before statistics; keep the file in float, settle gates at 1 "
            '(keras_bin.SettleRho), or pass runtime="openvino". '
            f"Received: {str(artifact)!r}, with {len(nodes.linear)} linear operators, none worth it"
        )


def _quantized(tool: Tool, work: Work) -> Any:
    import onnx

    with _in_words(f"{tool.package} must be able to quantize the file"):
        proto = tool.quantize(work)
        onnx.checker.check_model(proto, full_check=True)
    return proto


def _errors(
    tool: Tool, path: Path, expected: Run, batches: Sequence[Batch]
) -> tuple[dict[str, float], bool]:
    """Returns the errors of a file, and whether its runtime adds no more than its own rounding.

    The runtime rounds in other places than the operators do one by one, which may double the error.
    """
    with _in_words(f"{tool.runtime} must be able to run the file in int8"):
        run = tool.load(path)
        errors = relative_errors(expected, run, batches)
        made = relative_errors(expected, run, batches[:1])
    with _in_words("ONNX Runtime must be able to run the file in int8 operator by operator"):
        in_file = relative_errors(expected, in_onnx_runtime(path, fuses=False), batches[:1])
    return errors, all(error <= 2 * in_file[name] + _ROUNDING for name, error in made.items())


@contextlib.contextmanager
def _in_words(rule: str) -> Iterator[None]:
    """Says what to do if a library fails, unless the disk is the cause."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # the errors of the libraries share no other class
        raise ValueError(
            f"{rule}; keep it in float, or quantize it for another runtime. "
            f"Received: {type(error).__name__}: {error}"
        ) from error


def _wrong_in_int8(artifact: Path, runtime: str) -> ValueError:
    return ValueError(
        f"`artifact` must have linear operators that {runtime} computes correctly in int8; keep "
        "the file in float, export it again with the same `runtime`, or quantize it for another. "
        f"Received: {str(artifact)!r}"
    )


def _check_errors(errors: Mapping[str, float], max_error: float) -> None:
    wrong = [f"{name!r}: {error:.3g}" for name, error in errors.items() if not error <= max_error]
    if wrong:
        raise ValuesError(
            f"The outputs in int8 must be within {max_error:g} of those in float, as a share of "
            "their norm; pass typical `data` of all domains, or a larger `max_error` if the model "
            "is useful with that. The errors are:",
            wrong,
        )
