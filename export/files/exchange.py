"""Exchanging the names of two files or folders."""

import contextlib
import ctypes
import os
from pathlib import Path

ASIDE = "replaced"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(staged: Path, destination: Path) -> None:
    """Exchanges what is at two paths of one file system.

    On Linux this is one step on most file systems. Elsewhere, a folder called `ASIDE` beside
    `staged` briefly holds the old content of `destination`; if the process is killed in that
    moment, `put_back` restores it. If a step fails, the steps before it are undone.

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
    """Moves what an interrupted exchange left in `staging` back into `folder`.

    Raises:
        OSError: it cannot be moved.
    """
    aside = staging / ASIDE
    for path in aside.iterdir() if aside.is_dir() else ():
        if not os.path.lexists(folder / path.name):
            os.rename(path, folder / path.name)


def _exchange_in_one_step(first, second):
    """Exchanges with a system call that Python does not offer; returns whether it worked."""
    try:
        call = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    paths = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    return call(*paths, _RENAME_EXCHANGE) == 0
