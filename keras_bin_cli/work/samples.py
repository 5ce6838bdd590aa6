"""Reading the file that `--samples` names."""

from pathlib import Path

import numpy as np


def load_samples(path: Path | None) -> dict[str, np.ndarray] | None:
    """Returns the arrays of an .npz file; None if there is none.

    Raises:
        ValueError: it cannot be read.
    """
    if path is None:
        return None
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except Exception as error:  # NumPy raises what its zip and pickle readers do
        raise ValueError(
            "--samples must be an .npz file with an array per input. "
            f"Received: {path}; NumPy says: {error}"
        ) from error
