"""Recognizing the folder of a SavedModel."""

from pathlib import Path

SAVED_MODEL_PB = "saved_model.pb"


def is_saved_model(path: Path) -> bool:
    """Tells whether `path` is the folder of a SavedModel: whether it has a `saved_model.pb`."""
    return (path / SAVED_MODEL_PB).is_file()
