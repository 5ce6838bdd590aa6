"""Symbolic links, and what they need to lead where they do."""

import os
from collections.abc import Iterable
from pathlib import Path

MOST_LINKS = 40  # the system follows no more of them


def needed_by(stays: Iterable[Path], among: Iterable[Path]) -> set[Path]:
    """Returns those of some files and folders without which links would lead nowhere.

    Args:
        stays: files and folders whose links are to lead where they do, with all in them.
        among: the files and folders to choose from. Whichever is needed stays too, and so its
            own links count.
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
    """Yields a path itself if it is a link, and otherwise the links in it at any depth."""
    if path.is_symlink():
        yield path
        return
    for folder, folders, files in os.walk(path):
        yield from filter(Path.is_symlink, (Path(folder, name) for name in (*folders, *files)))


def _way(link):
    """Yields every place that the system passes on its way along a link."""
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
    """Returns a path that leads through no link; its last name may be one."""
    return Path(os.path.realpath(path.parent), path.name)
