"""Versions of a model: folders of integer names, of which TensorFlow Serving reads the highest."""

from pathlib import Path

from ..files.locks import lock
from ..files.publish import publish_folder

LARGEST = 2**63 - 1  # TensorFlow Serving reads versions as int64


def check_version(version: int) -> None:
    """Checks that TensorFlow Serving would read `version`.

    Raises:
        ValueError: it would not.
    """
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version <= LARGEST:
        raise ValueError(
            "`version` must be an integer above 0 and below 2**63, as TensorFlow Serving reads no "
            f"other; leave it out for the next free one. Received: version={version!r}"
        )


def is_version(name: str) -> bool:
    """Tells whether TensorFlow Serving would read a folder of that name."""
    return name.isascii() and name.isdecimal() and int(name) <= LARGEST


def next_version(base: Path) -> int:
    """Returns one more than the highest version in `base`."""
    versions = [int(path.name) for path in base.iterdir() if is_version(path.name)]
    return max(versions, default=0) + 1


def publish_version(staged: Path, base: Path, version: int | None, overwrite: bool) -> Path:
    """Moves a finished folder to the given version, or to the next that nobody else takes.

    Raises:
        OSError: as for `publish_folder`; `overwrite` is about a given version only.
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
