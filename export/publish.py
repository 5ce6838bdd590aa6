"""Putting files in their place whole, or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yields a hidden, empty folder inside `folder`, and removes it at the end.

    It lies on the file system of its destination, so that a rename publishes what is in it
    in one step. Its name starts with a dot, which TensorFlow Serving takes for no version.
    If the work fails, folders that were made for it are removed as well.

    Raises:
        OSError: `folder` cannot be made or written to; its subclass says why, such as
            NotADirectoryError where a part of the path is a file, or PermissionError.
    """
    made = _missing(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".keras-bin-", dir=folder))
    except OSError as error:
        _remove_empty(made)
        # mkdir says "file exists" where a file stands in place of the folder itself.
        code = errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno
        raise OSError(
            code,
            "An export needs a folder that it can write to; choose another or change its "
            f"permissions ({os.strerror(code)}). Received",
            str(folder),
        ) from error
    try:
        yield staged
    except BaseException:
        shutil.rmtree(staged)
        _remove_empty(made)
        raise
    shutil.rmtree(staged)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Checks that nothing is in the way of `path`, before any work is done.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
    """
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(
            "The destination of an export must not exist; choose another, or pass overwrite=True "
            f"(--overwrite in a shell) to replace it. Received: {str(path)!r}"
        )


def publish_file(staged: Path, destination: Path, overwrite: bool) -> None:
    """Gives a finished file its name in one step.

    Raises:
        FileExistsError: the destination appeared meanwhile, and `overwrite` is False.
    """
    if overwrite:
        os.replace(staged, destination)
        return
    try:
        os.link(staged, destination)  # fails where the name is taken, unlike os.replace
    except FileExistsError:
        refuse_existing(destination, overwrite)
        raise
    except OSError:  # a file system without hard links
        refuse_existing(destination, overwrite)
        os.replace(staged, destination)


def publish_folder(staged: Path, destination: Path, overwrite: bool) -> None:
    """Moves a finished folder to its name in one step.

    An old folder is moved aside first and removed last, and comes back if the move fails.

    Raises:
        OSError: the destination appeared meanwhile, and `overwrite` is False.
    """
    if not (overwrite and os.path.lexists(destination)):
        os.rename(staged, destination)
        return
    old = staged.with_name("replaced")
    os.rename(destination, old)
    try:
        os.rename(staged, destination)
    except BaseException:
        os.rename(old, destination)
        raise


def _missing(folder):
    """Returns the folders on the way to `folder` that do not exist, the deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_empty(folders):
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
