"""Files that appear under their names complete, or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import keras
from matplotlib.figure import Figure


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yields a hidden path beside a file; what the block writes there becomes the file."""
    hidden = path.with_name(f".{path.name}")
    try:
        yield hidden
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Writes a text."""
    with whole(path) as hidden:
        hidden.write_text(text, encoding="utf-8")


def save_net(net: keras.Model, path: Path) -> None:
    """Saves a net as a `.keras` file."""
    with whole(path) as hidden:
        net.save(hidden)


def save_picture(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Saves a figure with the given number of pixels per inch."""
    with whole(path) as hidden:
        figure.savefig(hidden, dpi=dpi)
