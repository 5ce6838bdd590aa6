"""Writing files and folders through to the disk."""

import errno
import os
from pathlib import Path


def sync_tree(path: Path) -> None:
    """Writes a file, or a folder with everything in it, to the disk.

    Raises:
        OSError: the disk is full, or fails.
    """
    if not path.is_dir():
        sync_file(path)
        return
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            sync_file(Path(folder, name))
        sync_folder(Path(folder))


def sync_file(path: Path) -> None:
    """Writes a file's content to the disk.

    Raises:
        OSError: the disk is full, or fails.
    """
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Writes the names in a folder to the disk, where the file system can.

    Raises:
        OSError: the disk is full, or fails.
    """
    if os.name == "nt":  # Windows cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)
