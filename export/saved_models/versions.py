"""Versions of a model: folders with integers as names; TensorFlow Serving serves the highest."""

from pathlib import Path

from ..files.locks import lock
from ..files.publish import publish_folder
from ..files.saved_model import is_saved_model

LARGEST = 2**63 - 1  # TensorFlow Serving reads versions as int64


def check_version(version: int) -> None:
    """Checks that TensorFlow Serving can read `version`.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version <= LARGEST:
        raise ValueError(
            "`version` must be an integer above 0 and below 2**63, as TensorFlow Serving reads no "
            f"other; leave it out for the next free one. Received: version={version!r}"
        )


def is_version(name: str) -> bool:
    """Tells whether TensorFlow Serving takes a folder of that name for a version."""
    return name.isascii() and name.isdecimal() and int(name) <= LARGEST


def versions(base: Path) -> list[Path]:
    """Returns the folders of the versions in `base`, the lowest number first.

    A folder without a SavedModel is not a version; it may be only partly copied.
    """
    found = [path for path in _numbered(base) if is_saved_model(path)]
    return sorted(found, key=lambda path: (int(path.name), path.name))


def next_version(base: Path) -> int:
    """Returns one more than the highest number of a folder in `base`, SavedModel or not."""
    return max((int(path.name) for path in _numbered(base)), default=0) + 1


def _numbered(base):
    return [path for path in base.iterdir() if is_version(path.name)]


def publish_version(staged: Path, base: Path, version: int | None, overwrite: bool) -> Path:
    """Publishes a finished folder as the given version, or as the next free one.

    Raises:
        OSError: as for `publish_folder`; `overwrite` applies only to a given version.
    """
    with lock(base):
        while True:
            path = base / str(version or next_version(base))
            try:
                publish_folder(staged, path, overwrite and version is not None)
                return path
            except OSError:
                if version is not None or not path.exists():
                    raise
