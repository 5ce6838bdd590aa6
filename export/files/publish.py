"""Publishing files and folders whole, or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .durable import sync_folder, sync_tree
from .exchange import exchange, put_back
from .locks import lock
from .write_errors import cannot_write, disk_errors

PREFIX = ".keras-bin-"


@contextlib.contextmanager
def staging(folder: Path, destination: Path | None = None) -> Iterator[Path]:
    """Yields a hidden, empty folder inside `folder`, and removes it at the end.

    It is on the file system of the destination, so a rename publishes its content in one step. Its
    name starts with a dot, so TensorFlow Serving does not take it for a version. If the work fails,
    folders that were made for it are removed as well.

    It is locked while it is in use. Hidden folders without a lock belong to processes that were
    killed: they are removed first, and a version that such a process had moved aside is restored.
    On systems without locks, they stay.

    Args:
        folder: made if missing.
        destination: the path that errors name, by default `folder`.

    Raises:
        OSError: `folder` cannot be made or written to, or its disk is full, now or while the
            `with` block runs; its subclass says why, such as PermissionError, or
            NotADirectoryError if a part of the path is a file.
    """
    made = _missing(folder)
    staged = None
    with contextlib.ExitStack() as stack:
        try:  # Ctrl-C may come at any time
            try:
                folder.mkdir(parents=True, exist_ok=True)
                for path in made:
                    sync_folder(path.parent)
                with lock(folder) as alone:
                    if alone:
                        _sweep(folder)
                    staged = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
                    stack.enter_context(lock(staged, wait=False))
            except OSError as error:
                # mkdir raises FileExistsError if the folder itself is a file.
                code = errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno or 0
                raise cannot_write(code, os.strerror(code), folder) from error
            with disk_errors(staged, destination or folder):
                yield staged
            _remove(staged)
        except BaseException:
            if staged is not None:
                _remove(staged)
            _remove_empty(made)
            raise


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Checks, before any work is done, that `path` is free.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
    """
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(
            "The destination must not exist; choose another, or pass overwrite=True (--overwrite "
            f"in a shell) to replace it. Received: {str(path)!r}"
        )


def publish_file(staged: Path, destination: Path, overwrite: bool) -> None:
    """Gives a finished file its name in one step, after its content is on the disk.

    Raises:
        FileExistsError: the destination appeared in the meantime, and `overwrite` is False.
        OSError: the disk is full, or fails.
    """
    sync_tree(staged)
    is_new = not os.path.lexists(destination)
    _name_file(staged, destination, overwrite)
    try:
        sync_folder(destination.parent)
    except BaseException:
        if is_new:
            destination.unlink(missing_ok=True)
        raise


def publish_folder(staged: Path, destination: Path, overwrite: bool) -> None:
    """Moves a finished folder to its name in one step, after its content is on the disk.

    Afterwards, the folder that it replaced is at `staged`. If anything fails, the old folder is put
    back.

    Raises:
        FileExistsError: the destination appeared in the meantime, and `overwrite` is False.
        OSError: the disk is full, or fails.
    """
    refuse_existing(destination, overwrite)
    sync_tree(staged)
    move = exchange if os.path.lexists(destination) else os.rename
    try:
        move(staged, destination)
    except OSError:
        refuse_existing(destination, overwrite)
        raise
    try:
        sync_folder(destination.parent)
    except BaseException:
        if move is exchange:
            exchange(staged, destination)
        else:
            os.rename(destination, staged)
        raise


def _name_file(staged, destination, overwrite):
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


def _sweep(folder):
    """Removes what killed processes left; what cannot be removed is left to the next run."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), lock(path, wait=False) as dead:
            if dead:
                put_back(path, folder)
                _remove(path)


def _remove(staged):
    """Removes a hidden folder; what cannot be removed is left to the next run."""
    shutil.rmtree(staged, ignore_errors=True)


def _missing(folder):
    """Returns those of `folder` and its parents that do not exist, the deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_empty(folders):
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
