"""Errors for files that cannot be written; they say what to do and name the destination."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

# Errors of writing and syncing an open file, which name no file.
_OF_DISKS = frozenset(
    (
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.ENOSPC,
        errno.EPERM,
        errno.EROFS,
    )
)


def cannot_write(code: int, reason: str, path: Path) -> OSError:
    """Returns an error of the given number that says what to do, and names `path`."""
    return OSError(
        code,
        "keras_bin needs a folder that it can write to, on a disk with room for its files; make "
        f"room, change its permissions, or choose another ({reason}). Received",
        str(path),
    )


@contextlib.contextmanager
def disk_errors(staged: Path, destination: Path) -> Iterator[None]:
    """Turns errors in writing to a hidden folder, and in moving from it, into `cannot_write`.

    Errors of other files, such as one that a layer of the model reads, stay as they are.

    Args:
        staged: the hidden folder.
        destination: the path to name instead of a hidden one.

    Raises:
        OSError: a file cannot be written, moved or removed.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # it already says what to do
            raise
        names = [name for name in (error.filename, error.filename2) if isinstance(name, str)]
        hidden = [name for name in names if _is_in(name, staged)]
        folder = [name for name in names if Path(name).absolute() == staged.parent.absolute()]
        if not (hidden or folder if names else error.errno in _OF_DISKS):
            raise
        path = next((name for name in names if name not in hidden), destination)
        raise cannot_write(error.errno, error.strerror or "", Path(path)) from error


@contextlib.contextmanager
def tensorflow_writes(path: Path) -> Iterator[None]:
    """Turns the errors that TensorFlow raises for files that it cannot write into OSError.

    Raises:
        OSError: TensorFlow could not write to `path`; its message is included.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        no_room = isinstance(error, tf.errors.ResourceExhaustedError)
        forbidden = isinstance(error, tf.errors.PermissionDeniedError)
        code = errno.ENOSPC if no_room else errno.EACCES if forbidden else errno.EIO
        raise OSError(code, f"TensorFlow says: {error}", str(path)) from error


def _is_in(name, folder):
    return Path(name).absolute().is_relative_to(folder.absolute())
