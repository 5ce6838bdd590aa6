"""Writing an ONNX file."""

import os
from pathlib import Path

import keras
import numpy as np

from keras_bin.networks.tensor_names import Names
from keras_bin.runtimes import ANY
from keras_bin.stages import begin_stage, end_stage, is_verbose, print_line, stages_printed

from ..extras import require_onnx, require_tensorflow
from ..files.publish import refuse_existing, staging
from ..files.remote import refuse_remote
from ..preparation import Preparation, check_settings
from ..results.changes import warn_of_changes
from ..results.errors import VerificationError
from ..results.layer_report import LayerFold
from ..results.report import ExportReport
from ..verifying.artifact import load_artifact
from ..verifying.verify import compare
from .conversion import convert
from .external import ExternalWeights, publish_with_weights
from .layout.inner_transposes import inner_transposes
from .lowering import DEFAULT_LOWERING, check_lowering
from .metadata import write_metadata
from .reader import stated_signature
from .size import onnx_size

OPSETS = range(13, 19)
DEFAULT_OPSET = 17


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    opset: int = DEFAULT_OPSET,
    *,
    lowering: str = DEFAULT_LOWERING,
    runtime: str = ANY,
    rho_tolerance: float = 0.0,
    overwrite: bool = False,
    input_names: Names | None = None,
    output_names: Names | None = None,
    samples: dict[str, np.ndarray] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    verbose: bool | None = None,
) -> ExportReport:
    """Writes a model, its BIN layers folded, to an ONNX file, verified with ONNX Runtime.

    The file holds the graph that the model itself traces in inference mode, so it computes what
    `model.predict` computes.

    Inputs and outputs have the model's names, or those that are given. The batch axis is free
    and called `batch`, and only operators of ONNX's own domain are used. The file is written under
    a hidden name beside `path`, checked by `onnx.checker`, run with ONNX Runtime and compared with
    `model`, and only then renamed: a failed export leaves nothing behind. If the weights are too
    large for one file (2 GB), they go to a second file beside `path`, `<path>.<8 hex digits>.data`,
    which ONNX Runtime finds; copy the two together.

    Args:
        model: a built Functional or Sequential model, or a subclassed model that was called on
            one argument of float tensors; it need not have BIN layers. A half-precision model is
            exported in float32, with a warning.
        path: the file to write, by convention `*.onnx`; its folder is created if missing.
        opset: version of the ONNX operator set, from 13 to 18.
        lowering: how statistics of a sample are computed: `"instance_normalization"`, by the
            operator that accelerators and quantizers know, or `"reduce_mean"`, by arithmetic.
        runtime: see `fold`; it selects the form of `"instance_normalization"`.
        rho_tolerance: see `fold`.
        overwrite: whether to replace `path` if it exists.
        input_names: see `keras_bin.export.export_saved_model`.
        output_names: see `keras_bin.export.export_saved_model`.
        samples: see `keras_bin.export.verify`.
        atol: see `keras_bin.export.verify`.
        rtol: see `keras_bin.export.verify`.
        verbose: whether to print each stage (tracing, folding, converting, verifying, publishing)
            and its duration in seconds. As in `model.export`, None means True.

    Returns:
        An `ExportReport`.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
        ImportError: a package of the `onnx` extra is missing.
        IsADirectoryError: `path` is a folder.
        NotADirectoryError: the folder of `path` is a file, or is inside one.
        OSError: the disk is full, or fails.
        PermissionError: the folder of `path` cannot be written to.
        RuntimeError: Keras does not run on TensorFlow.
        TypeError: `model` is not a Keras model, or `input_names` or `output_names` is not a list
            or dict.
        ValueError: `model` cannot be traced, a weight of a BIN layer is not finite, `opset`,
            `lowering`, `runtime` or a tolerance is out of range, `input_names`, `output_names` or
            `samples` cannot be used, or `path` is the address of an object store.
        VerificationError: the written file differs from `model`, or ONNX has no operators for it
            (OperatorError); a subclass of ValueError.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_onnx
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = export_onnx(model, f"{folder}/model.onnx", verbose=False)
    >>> report.path.name, report.layers_folded
    ('model.onnx', 1)
    """
    check_onnx_export(path, opset, lowering, overwrite)
    check_settings(rho_tolerance, atol, rtol, runtime)
    with stages_printed(verbose):
        prepared = Preparation(model, rho_tolerance, samples, input_names, output_names, runtime)
        report = write_onnx(prepared, Path(path), opset, lowering, overwrite, atol, rtol)
    if is_verbose(verbose):
        print_line(f"Saved artifact at {str(report.path)!r}.")
    return report


def check_onnx_export(
    path: str | os.PathLike[str], opset: int, lowering: str, overwrite: bool
) -> None:
    """Checks what does not depend on the model; raises the same errors as `export_onnx`."""
    require_tensorflow()
    require_onnx()
    check_opset(opset)
    check_lowering(lowering)
    check_destination(path, overwrite)


def check_destination(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Checks that an ONNX file can be written to `path`; raises what `export_onnx` does."""
    refuse_remote(path)
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"`path` must name a file, such as 'model.onnx', not a folder. Received: {str(path)!r}"
        )
    refuse_existing(path, overwrite)


def write_onnx(
    prepared: Preparation,
    path: Path,
    opset: int,
    lowering: str,
    overwrite: bool,
    atol: float | None,
    rtol: float | None,
) -> ExportReport:
    """Writes a model to an ONNX file without checking arguments; see `export_onnx`."""
    with staging(path.parent, path) as staged:
        expected = prepared.expected
        written = staged / path.name
        layers, transposes = _write(prepared, opset, lowering, written)
        begin_stage("verify")
        artifact = load_artifact(written)
        found = compare(artifact, expected, atol, rtol, prepared.runtime)
        snapping = prepared.snapping_difference
        if overwrite and path.is_file() and path.stat().st_size:  # an empty file has no clients
            warn_of_changes(path, stated_signature, artifact.signature, ordered=True)
        begin_stage("publish")
        publish_with_weights(written, path, overwrite)
        end_stage()
    return prepared.report(path, layers, found, snapping, onnx_size(path), transposes)


def check_opset(opset: int) -> None:
    """Checks that `opset` is one of the tested versions.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(opset, int) or opset not in OPSETS:
        raise ValueError(
            f"`opset` must be an integer from {OPSETS[0]} to {OPSETS[-1]}, the tested versions. "
            f"Received: opset={opset!r}"
        )


def _write(
    prepared: Preparation, opset: int, lowering: str, path: Path
) -> tuple[tuple[LayerFold, ...], int]:
    """Writes `path`, and beside it a file with the weights if they do not fit into `path`.

    Returns:
        What became of each normalization layer, and the number of transposes inside.
    """
    import onnx

    external = ExternalWeights(prepared.exported.model)
    proto, layers = convert(prepared, opset, lowering, external)
    write_metadata(proto, prepared, opset, lowering, layers)
    external.write(proto, path)
    onnx.save(proto, path, format="protobuf")  # whatever the name of `path` ends in
    _check(path)
    return layers, inner_transposes(proto)


def _check(path: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise VerificationError(
            "The ONNX checker must accept the file; tf2onnx converted a layer incorrectly, so "
            "replace that layer, or export a SavedModel. The checker says:",
            [str(error).strip()],
        ) from error
