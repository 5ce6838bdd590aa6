"""Writing a SavedModel for TensorFlow Serving."""

import os
import time
from pathlib import Path

import keras
import numpy as np

from keras_bin.export.artifact import load_artifact
from keras_bin.export.extras import require_tensorflow
from keras_bin.export.graph import check_model
from keras_bin.export.publish import publish_folder, refuse_existing, staging
from keras_bin.export.report import ExportReport
from keras_bin.export.signature import model_signature, serving_function
from keras_bin.export.source import ExportSource
from keras_bin.export.verify import ATOL, RTOL, check_tolerances, compare


def export_saved_model(
    model: keras.Model,
    base: str | os.PathLike,
    version: int | None = None,
    *,
    overwrite: bool = False,
    samples: dict[str, np.ndarray] | None = None,
    atol: float = ATOL,
    rtol: float = RTOL,
) -> ExportReport:
    """Folds a model and writes it to `base/<version>/`, verified, as TensorFlow Serving reads it.

    The SavedModel has the signature `serving_default`, with named inputs and outputs and a
    free batch size, and loads without keras_bin. It is written to a hidden folder in `base`,
    loaded from there and compared with `model`, and only then renamed: a server that watches
    `base` never sees a part of it, and a failed export leaves nothing.

    Args:
        model: a built Functional or Sequential model; one without BIN layers is fine. A
            half-precision model is exported in float32, with a warning.
        base: folder of the model's versions; made if missing.
        version: integer above 0, by default one more than the highest in `base`.
        overwrite: whether to replace `base/<version>` if it exists.
        samples: see `keras_bin.export.verify`.
        atol: absolute tolerance of the verification, in output units.
        rtol: relative tolerance of the verification.

    Returns:
        An `ExportReport`.

    Raises:
        FileExistsError: `base/<version>` exists and `overwrite` is False.
        NotADirectoryError: `base` is a file, or inside one.
        PermissionError: `base` cannot be written to.
        RuntimeError: Keras does not run on TensorFlow.
        TypeError: `model` is not a Keras model.
        ValueError: `model` cannot be folded (see `fold`), or `version` is not an integer
            above 0.
        VerificationError: the written SavedModel differs from `model`; a ValueError.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_saved_model
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as base:
    ...     report = export_saved_model(model, base)
    >>> report.path.name, report.layers_folded
    ('1', 1)
    """
    started = time.perf_counter()
    require_tensorflow()
    base = Path(base)
    if version is not None:
        check_version(version)
        refuse_existing(base / str(version), overwrite)
    check_model(model)
    check_tolerances(atol, rtol)
    with staging(base) as staged:
        source = ExportSource(model)
        written = staged / "model"
        _write(source.folded, written)
        found = compare(load_artifact(written), source.reference, samples, atol, rtol)
        path = _publish(written, base, version, overwrite)
    return source.report(path, found, time.perf_counter() - started)


def check_version(version: int) -> None:
    """Checks that TensorFlow Serving would read `version`.

    Raises:
        ValueError: it would not.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(
            "`version` must be an integer above 0, as TensorFlow Serving reads no other; leave it "
            f"out for the next free one. Received: version={version!r}"
        )


def _write(folded, path):
    archive = keras.export.ExportArchive()
    archive.track(folded)
    archive.add_endpoint("serve", serving_function(folded, model_signature(folded)))
    archive.write_out(str(path), verbose=False)


def _publish(written, base, version, overwrite):
    """Renames to the given version, or to the next one that no other exporter takes."""
    while True:
        path = base / str(version or _next_version(base))
        try:
            publish_folder(written, path, overwrite and version is not None)
            return path
        except OSError:
            if version is not None or not path.exists():
                raise


def _next_version(base):
    versions = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
    return max(versions, default=0) + 1
