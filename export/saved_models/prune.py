"""Removing old versions of a model."""

import os
from pathlib import Path

from ..files.durable import sync_folder
from ..files.links import needed_by
from ..files.locks import lock
from ..files.publish import staging
from ..files.remote import refuse_remote
from .versions import versions


def prune(base: str | os.PathLike[str], keep: int) -> list[Path]:
    """Removes all but the newest versions of a model.

    Each old version is moved to a hidden folder in one step and deleted there, so a server that
    watches `base` never sees a part of it. Only SavedModels in folders whose names are integers
    are versions; everything else in `base`, such as a folder that is still being copied, stays and
    does not count.

    If a version is a symbolic link, the link is removed, and its target stays. A version that a
    remaining link in `base` leads to, such as the target of `latest`, stays whatever its number.
    Links outside `base` are not considered.

    Args:
        base: folder of the model's versions.
        keep: minimum number of versions to keep, above 0; those with the highest numbers stay.

    Returns:
        The removed folders, the oldest first.

    Raises:
        FileNotFoundError: `base` is not a folder.
        PermissionError: `base` cannot be written to.
        ValueError: `keep` is not an integer above 0, or `base` is the address of an object store.

    Example:
    >>> import pathlib, tempfile
    >>> from keras_bin.export import prune
    >>> with tempfile.TemporaryDirectory() as base:
    ...     for version in ("8", "9", "10"):
    ...         pathlib.Path(base, version).mkdir()
    ...         pathlib.Path(base, version, "saved_model.pb").touch()
    ...     removed = prune(base, keep=2)
    >>> [path.name for path in removed]
    ['8']
    """
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        raise ValueError(
            "`keep` must be an integer above 0, as a server needs a version to serve; delete the "
            f"folder itself to remove all versions. Received: keep={keep!r}"
        )
    refuse_remote(base)
    base = Path(base)
    if not base.is_dir():
        raise FileNotFoundError(
            "`base` must be the folder that holds a model's versions, as given to "
            f"export_saved_model. Received: {str(base)!r}"
        )
    with staging(base) as staged, lock(base):
        removed = _oldest(base, keep)
        for path in removed:
            os.rename(path, staged / path.name)
        sync_folder(base)
    return removed


def _oldest(base: Path, keep: int) -> list[Path]:
    oldest = versions(base)[:-keep]
    needed = needed_by(set(base.iterdir()).difference(oldest), oldest)
    return [path for path in oldest if path not in needed]
