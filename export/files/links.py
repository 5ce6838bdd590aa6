"""Symbolic links, and the files and folders that they depend on."""

import os
from collections.abc import Iterable
from pathlib import Path

MOST_LINKS = 40  # the system follows no more in one path


def needed_by(stays: Iterable[Path], among: Iterable[Path]) -> set[Path]:
    """Returns the files and folders without which links would be broken.

    Args:
        stays: files and folders whose links must keep working, including links inside folders.
        among: the files and folders to choose from. Those that are needed stay as well, so their
            own links count, too.
    """
    places = {_place(path): path for path in among}
    needed: set[Path] = set()
    waiting = list(stays)
    while waiting:
        for link in _links(waiting.pop()):
            found = {places[step] for step in _way(link) if step in places} - needed
            needed |= found
            waiting += found
    return needed


def _links(path):
    """Yields a path itself if it is a link, else all links in it."""
    if path.is_symlink():
        yield path
        return
    for folder, folders, files in os.walk(path):
        yield from filter(Path.is_symlink, (Path(folder, name) for name in (*folders, *files)))


def _way(link):
    """Yields every path that the system passes through while it follows a link."""
    at, names = _place(link).parent, [link.name]
    followed = 0
    while names and followed <= MOST_LINKS:
        name = names.pop()
        if name == os.pardir:
            at = at.parent
            continue
        yield at / name
        if (at / name).is_symlink():
            followed += 1
            names += reversed(Path(os.readlink(at / name)).parts)
        else:
            at /= name


def _place(path):
    """Resolves the links in a path, except in its last part."""
    return Path(os.path.realpath(path.parent), path.name)
