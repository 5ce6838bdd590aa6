"""Reading the files that arguments name."""

from pathlib import Path

import keras
import numpy as np

from keras_bin.export.models.keras_file import load_keras_file
from keras_bin.stages import begin_stage


def load_model(options) -> keras.Model:
    """Loads MODEL with the custom code that `--import` and `--unsafe` allow.

    Raises:
        OSError: see `load_keras_file`.
        ImportError: likewise.
        ValueError: likewise.
    """
    begin_stage("load")
    return load_keras_file(options.model, options.imports, options.unsafe)


def load_samples(path: Path | None) -> dict[str, np.ndarray] | None:
    """Returns the arrays of `--samples`; None if there is no such file.

    Raises:
        ValueError: it cannot be read.
    """
    return None if path is None else load_arrays(path, "--samples")


def load_arrays(path: Path, option: str) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file.

    Args:
        path: the file.
        option: the option that gave it.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except Exception as error:  # NumPy raises what its zip and pickle readers do
        raise ValueError(
            f"{option} must be an .npz file with an array per input. "
            f"Received: {path}; NumPy says: {error}"
        ) from error
