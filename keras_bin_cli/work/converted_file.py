"""Writing a converted model to a `.keras` file, completely or not at all."""

import keras

from keras_bin.comparing.compare import compare
from keras_bin.conversion.carrying_out import TOLERANCE
from keras_bin.export.files.publish import publish_file, staging
from keras_bin.export.models.keras_file import load_keras_file
from keras_bin.networks.graph import as_functional
from keras_bin.stages import begin_stage, end_stage


def write_converted(model: keras.Model, options) -> None:
    """Writes a model under a hidden name, loads and compares it, and renames the file.

    Args:
        model: from `convert_batch_normalization`.
        options: of `keras-bin convert`: OUT, whether to replace it, and how to load a model.

    Raises:
        OSError: the file cannot be written.
        ValueError: the file does not load, or the loaded model computes something different.
    """
    begin_stage("write")
    with staging(options.out.parent, options.out) as staged:
        written = staged / options.out.name
        model.save(written)
        begin_stage("verify")
        _check(written, model, options)
        begin_stage("publish")
        publish_file(written, options.out, options.overwrite)
        end_stage()


def _check(written, model, options):
    try:
        loaded = load_keras_file(written, options.imports, options.unsafe)
        found = compare(as_functional(model), as_functional(loaded), TOLERANCE)
    except ValueError as error:
        raise ValueError(
            "A converted model must load from its .keras file. One in which a custom layer or a "
            "subclassed model holds converted layers does not: its config makes the old ones. "
            "Exclude those with --where, or convert the model in Python and save its weights. "
            f"Received: model {model.name!r}; {_reason(error)}"
        ) from error
    if found.differences:
        raise ValueError(
            "A converted model must compute the same when it is loaded from its .keras file; the "
            "configs of its layers must contain everything that they compute with. "
            f"Received: model {model.name!r}, which differs in: {'; '.join(found.differences)}"
        )


def _reason(error):
    """Returns what Keras says, without the hidden file, which the user does not know."""
    says = str(error).partition("Keras says: ")[2]
    return f"Keras says: {says}" if says else f"loading it failed with: {error}"
