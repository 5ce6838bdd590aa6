"""Writing a SavedModel for TensorFlow Serving."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.networks.signature import Signature
from keras_bin.networks.tensor_names import Names
from keras_bin.runtimes import ANY
from keras_bin.sampling.batches import rows
from keras_bin.sampling.generated import SMALL_BATCHES
from keras_bin.sampling.trial import Batch
from keras_bin.stages import begin_stage, end_stage, is_verbose, print_line, stages_printed

from ..extras import require_tensorflow
from ..files.publish import refuse_existing, staging
from ..files.remote import refuse_remote
from ..files.size import size_on_disk
from ..files.write_errors import tensorflow_writes
from ..models.weight_size import fits_inside
from ..preparation import Preparation, check_settings
from ..results.changes import warn_of_changes
from ..results.layer_report import LayerFold
from ..results.plain import plain
from ..results.report import ExportReport
from ..results.verification import Verification
from ..verifying.artifact import Artifact
from ..verifying.verify import compare
from .captured import owners
from .manifest import manifest, source_file, write_manifest
from .served import served_before, stated_signature
from .serving_process import serving_process
from .structure import check_structure
from .versions import check_version, publish_version
from .warm_up import read_warm_up, write_warm_up


def export_saved_model(
    model: keras.Model,
    base: str | os.PathLike[str],
    version: int | None = None,
    *,
    runtime: str = ANY,
    rho_tolerance: float = 0.0,
    overwrite: bool = False,
    input_names: Names | None = None,
    output_names: Names | None = None,
    samples: dict[str, np.ndarray] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    source: str | os.PathLike[str] | None = None,
    verbose: bool | None = None,
) -> ExportReport:
    """Writes a model, its BIN layers folded, to `base/<version>/`, as TensorFlow Serving reads it.

    The SavedModel holds the graph that the model itself traces in inference mode, so it computes
    what `model.predict` computes. Variables that calls assign, such as counters, stay variables.

    It has the signatures `serving_default` and `serve`, which are equal, with named inputs and
    outputs and a free batch size. It uses only TensorFlow's own operators, nothing in it has to
    be compiled by XLA, and it loads without keras_bin. With it come requests for the server's
    warm-up, and `keras_bin.json`: names and versions, what was checked, and what became of each
    layer.

    Everything is written to a hidden folder in `base`, loaded from there in a fresh process
    without Keras, on the CPU, compared with `model`, written through to the disk, and only then
    renamed: a server that watches `base` never sees a part of it. A failed export leaves nothing
    behind; what a killed one left is removed by the next.

    Args:
        model: a built Functional or Sequential model, or a subclassed model that was called on
            one argument of float tensors; it need not have BIN layers. A half-precision model is
            exported in float32, with a warning.
        base: folder of the model's versions; created if missing.
        version: integer above 0; by default one more than the highest in `base`.
        runtime: see `fold`.
        rho_tolerance: see `fold`.
        overwrite: whether to replace `base/<version>` if it exists.
        input_names: names of the inputs in the artifact, instead of the model's: a list with one
            for each input, in the order of `model.inputs`, or a dict from the model's names to new
            ones. They consist of letters, digits and `_`, and begin with a letter. `samples` use
            these names.
        output_names: likewise for the outputs, in the order of `model.outputs`; any text.
        samples: see `keras_bin.export.verify`.
        atol: see `keras_bin.export.verify`.
        rtol: see `keras_bin.export.verify`.
        source: the .keras file that the model was loaded from; its SHA-256 digest goes into
            `keras_bin.json`.
        verbose: whether to print each stage (tracing, folding, writing, verifying, publishing)
            and its duration in seconds. As in `model.export`, None means True.

    Returns:
        An `ExportReport`.

    Raises:
        FileExistsError: `base/<version>` exists and `overwrite` is False.
        FileNotFoundError: `source` is not a file.
        NotADirectoryError: `base` is a file, or is inside one.
        OSError: the disk is full, or fails.
        PermissionError: `base` cannot be written to.
        RuntimeError: Keras does not run on TensorFlow, or `sys.executable` is not a Python that
            can be started.
        TypeError: `model` is not a Keras model, or `input_names` or `output_names` is not a list
            or dict.
        ValueError: `model` cannot be traced, a weight of a BIN layer is not finite, `version` is
            not an integer above 0, `input_names` or `output_names` have an unknown, impossible or
            repeated name, or too many or too few, `runtime` or a tolerance is out of range, or a
            path is the address of an object store.
        VerificationError: the written SavedModel differs from `model`, or TensorFlow Serving
            could not serve it (OperatorError, ShapeError); a subclass of ValueError.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_saved_model
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as base:
    ...     report = export_saved_model(model, base, verbose=False)
    >>> report.path.name, report.layers_folded
    ('1', 1)
    """
    check_saved_model_export(base, version, overwrite)
    check_settings(rho_tolerance, atol, rtol, runtime)
    file = None if source is None else source_file(Path(source))
    with stages_printed(verbose):
        prepared = Preparation(model, rho_tolerance, samples, input_names, output_names, runtime)
        report = write_saved_model(prepared, Path(base), version, overwrite, atol, rtol, file)
    if is_verbose(verbose):
        print_line(f"Saved artifact at {str(report.path)!r}.")
    return report


def check_saved_model_export(
    base: str | os.PathLike[str], version: int | None, overwrite: bool
) -> None:
    """Checks what does not depend on the model; raises the same as `export_saved_model`."""
    require_tensorflow()
    refuse_remote(base)
    if version is not None:
        check_version(version)
        refuse_existing(Path(base) / str(version), overwrite)


def write_saved_model(
    prepared: Preparation,
    base: Path,
    version: int | None,
    overwrite: bool,
    atol: float | None,
    rtol: float | None,
    file: dict[str, str] | None,
) -> ExportReport:
    """Writes a model to `base/<version>/` without checking arguments; see `export_saved_model`.

    Args:
        prepared: the model.
        base: see `export_saved_model`.
        version: see `export_saved_model`.
        overwrite: see `export_saved_model`.
        atol: see `export_saved_model`.
        rtol: see `export_saved_model`.
        file: what `source_file` returns for the .keras file, or None.
    """
    _refuse_names_equal_but_for_case(prepared.exported.signature)
    with staging(base) as staged, serving_process(staged) as serving:
        expected = prepared.expected
        written = staged / "model"
        layers = _write(prepared, written)
        begin_stage("verify")
        structure = check_structure(written)
        artifact = serving.load(written)
        found = _compare_on_cpu(artifact, expected, atol, rtol, prepared.runtime)
        snapping = prepared.snapping_difference
        checks = {
            "structure": structure,
            "snapping_difference": snapping,
            "values": found.as_dict(),
            "warm_up": _warm_up(written, base.absolute().name, artifact, expected.batches),
        }
        write_manifest(
            written,
            manifest(
                name=prepared.exported.model.name,
                inputs=[info._asdict() for info in artifact.signature.inputs],
                outputs=[info._asdict() for info in artifact.signature.outputs],
                given_names=prepared.exported.given_names,
                checks=checks,
                layers=plain(layers),
                rho=plain(prepared.rho),
                runtime=prepared.runtime,
                source=file,
            ),
        )
        if (before := served_before(base, version)) is not None:
            warn_of_changes(before, stated_signature, artifact.signature)
        begin_stage("publish")
        path = publish_version(written, base, version, overwrite)
        end_stage()
    return prepared.report(path, layers, found, snapping, size_on_disk(path))


def _refuse_names_equal_but_for_case(signature: Signature) -> None:
    """Checks what the arguments of TensorFlow's signatures need but ONNX files do not."""
    names = [info.name for info in signature.inputs]
    folded = [name.lower() for name in names]
    wrong = [name for name in names if folded.count(name.lower()) > 1]
    if wrong:
        raise ArgumentError(
            "Inputs of a SavedModel must have names that differ in more than letter case; "
            f"pass others as `input_names`. Received: {wrong}"
        )


def _write(prepared: Preparation, path: Path) -> tuple[LayerFold, ...]:
    """Writes the weights as constants, or as variables if they are too large.

    Returns:
        What became of each normalization layer.
    """
    import tensorflow as tf

    model, signature = prepared.exported.model, prepared.exported.signature
    exported = prepared.graph(arithmetic=True, keep_variables=not fits_inside(model))
    begin_stage("write")
    specs = [tf.TensorSpec(info.shape, info.dtype, name=info.name) for info in signature.inputs]
    module = tf.Module()
    module.serve = exported.graph.function(
        specs, {info.name: info.shape for info in signature.outputs}
    )
    module.captured = owners(model, exported.graph.captured)
    with tensorflow_writes(path), _warnings_alone(tf.get_logger()):
        tf.saved_model.save(
            module,
            str(path),
            dict.fromkeys(("serve", "serving_default"), module.serve),
            # TensorFlow would trace gradients that nobody needs, and fails if one of them reads a
            # tensor from outside, as that of SiLU does.
            tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
    return exported.layers


@contextlib.contextmanager
def _warnings_alone(logger: logging.Logger) -> Iterator[None]:
    """Keeps TensorFlow from logging that it wrote to a folder which will get another name."""
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _compare_on_cpu(*arguments: Any) -> Verification:
    """Compares on the CPU, as in the fresh process; a GPU would round to 10 bits (TF32)."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return compare(*arguments)


def _warm_up(folder: Path, name: str, artifact: Artifact, batches: list[Batch]) -> dict[str, int]:
    """Writes requests for the server's warm-up, reads them back, and runs them."""
    write_warm_up(folder, name, [batch for batch in batches if rows(batch) in SMALL_BATCHES])
    requests = read_warm_up(folder)
    for batch in requests:
        artifact.run(batch)
    return {"records": len(requests)}
