"""Giving two files or folders each other's name."""

import contextlib
import ctypes
import os
from pathlib import Path

ASIDE = "replaced"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(staged: Path, destination: Path) -> None:
    """Gives what is at two paths of one file system each other's name.

    On Linux that is one step on most file systems. Elsewhere what is at `destination` goes to
    a folder called `ASIDE` beside `staged` for a moment, from where `put_back` brings it back
    if the process is killed in that moment; if a step fails, everything is as it was.

    Raises:
        OSError: one of them cannot be moved.
    """
    if _exchange_in_one_step(staged, destination):
        return
    aside = staged.parent / ASIDE / destination.name
    aside.parent.mkdir(exist_ok=True)
    with contextlib.ExitStack() as undo:
        for source, target in ((destination, aside), (staged, destination), (aside, staged)):
            os.rename(source, target)
            undo.callback(os.rename, target, source)
        undo.pop_all()


def put_back(staging: Path, folder: Path) -> None:
    """Brings back into `folder` what an interrupted exchange has left aside in `staging`.

    Raises:
        OSError: it cannot be moved.
    """
    aside = staging / ASIDE
    for path in aside.iterdir() if aside.is_dir() else ():
        if not os.path.lexists(folder / path.name):
            os.rename(path, folder / path.name)


def _exchange_in_one_step(first, second):
    """Exchanges by a call that Python has no name for; returns whether that worked."""
    try:
        call = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    paths = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    return call(*paths, _RENAME_EXCHANGE) == 0
