"""Writing a converted model to a `.keras` file, whole or not at all."""

from pathlib import Path

import keras

from keras_bin.comparing.compare import compare
from keras_bin.conversion.carrying_out import TOLERANCE
from keras_bin.export.files.publish import publish_file, staging
from keras_bin.export.models.keras_file import load_keras_file
from keras_bin.networks.graph import as_functional


def write_converted(model: keras.Model, path: Path, overwrite: bool) -> None:
    """Writes a model under a hidden name, compares what loads from there, and renames the file.

    Args:
        model: from `convert_batch_normalization`.
        path: the file to write; its folder is made if missing.
        overwrite: whether to replace `path` if it exists.

    Raises:
        OSError: the file cannot be written.
        ValueError: the file does not load, or what loads computes something else.
    """
    with staging(path.parent, path) as staged:
        written = staged / path.name
        model.save(written)
        _check(written, model)
        publish_file(written, path, overwrite)


def _check(written, model):
    try:
        found = compare(as_functional(model), as_functional(load_keras_file(written)), TOLERANCE)
    except ValueError as error:
        raise ValueError(
            "A converted model must load from its .keras file. One in which a custom layer or a "
            "subclassed model holds layers that were converted does not: its config makes the old "
            "ones. Leave those with --where, or convert the model in Python and save its weights. "
            f"Received: model {model.name!r}; loading it failed with: {error}"
        ) from error
    if found.differences:
        raise ValueError(
            "A converted model must compute the same when it is loaded from its .keras file; the "
            "configs of its layers must hold all that they compute with. "
            f"Received: model {model.name!r}, which differs in: {'; '.join(found.differences)}"
        )
