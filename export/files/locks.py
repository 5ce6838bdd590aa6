"""Locks on folders; the system releases them when their process ends, however it ends."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def lock(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Holds the lock of a folder while the `with` block runs, and yields whether it was taken.

    Threads of one process exclude each other, as processes do. A process that is killed loses its
    locks.

    Args:
        folder: an existing folder, which need not be writable.
        wait: whether to wait if the lock is held.

    Yields:
        False if the system or the file system has no such locks, or if the lock is held elsewhere
        and `wait` is False.

    Raises:
        OSError: `folder` cannot be opened.
    """
    if fcntl is None:
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _take(descriptor, wait)
    finally:
        os.close(descriptor)


def _take(descriptor, wait):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held, or not supported: network file systems have many error codes
        return False
    return True
