"""Sizes of files and folders."""

from pathlib import Path


def size_on_disk(path: Path) -> int:
    """Returns the size of a file, or of all files in a folder, in bytes; 0 if there is none."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
