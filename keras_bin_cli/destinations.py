"""Checks of destinations, made before any work is done."""

import os
from pathlib import Path

from keras_bin_cli.errors import WrongArguments


def check_new_file(path: Path, name: str, overwrite: bool) -> None:
    """Checks that a file can be written.

    Args:
        path: the file.
        name: the argument that gives it.
        overwrite: whether it may exist.

    Raises:
        WrongArguments: it is a folder, exists, or is in a place where nothing can be written.
    """
    if os.path.isdir(path):
        raise WrongArguments(f"{name} must be a file, not a folder. Received: {str(path)!r}")
    check_free(path, name, overwrite)
    _check_place(path, name, path.parent)


def check_new_folder(path: Path, name: str) -> None:
    """Checks that a folder can be written to, or made.

    Raises:
        WrongArguments: it cannot.
    """
    _check_place(path, name, path)


def check_free(path: Path, name: str, overwrite: bool) -> None:
    """Checks that nothing is at a path, or that it may be replaced.

    Raises:
        WrongArguments: something is there, and `overwrite` is False.
    """
    if os.path.lexists(path) and not overwrite:
        raise WrongArguments(
            f"{name} must not exist; choose another, or pass --overwrite to replace it. "
            f"Received: {str(path)!r}"
        )


def _check_place(path, name, folder):
    obstacle = _unusable(path) or _obstacle(folder)
    if obstacle:
        raise WrongArguments(
            f"{name} must be in a folder that can be written to. "
            f"Received: {str(path)!r}; {obstacle}"
        )


def _unusable(path):
    """Returns why the system does not accept the name, or an empty string."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror
    return ""


def _obstacle(folder):
    """Returns why a folder can be neither written to nor made, or an empty string."""
    for place in (folder, *folder.absolute().parents):
        if os.path.isdir(place):
            writable = os.access(place, os.W_OK | os.X_OK)
            return "" if writable else f"{str(place)!r} is write-protected"
        if os.path.lexists(place):
            return f"{str(place)!r} is not a folder"
    return ""
