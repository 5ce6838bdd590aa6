"""Photographs: those that come with scikit-image, or those of a folder."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from common.picture_files import is_readable, read_rgb

BUNDLED = ("astronaut", "coffee", "rocket", "retina", "hubble_deep_field", "camera", "coins")
HELD_OUT = "chelsea"
STYLE = "immunohistochemistry"
SHORTER_SIDE = 128


def bundled(name: str) -> np.ndarray:
    """Returns a photograph that comes with scikit-image, as `prepare` makes it."""
    return prepare(Image.fromarray(getattr(skimage.data, name)()))


def read(path: Path) -> np.ndarray:
    """Reads a photograph from a file, as `prepare` makes it.

    Raises:
        ValueError: the file is not as `read_rgb` wants it.
    """
    return prepare(read_rgb(path))


def read_folder(folder: Path) -> list[np.ndarray]:
    """Reads every picture of a folder, ordered by name; other files are skipped.

    Raises:
        ValueError: the folder is missing, has no pictures, or has one that `read_rgb` refuses.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    photographs = [read(path) for path in paths if is_readable(path)]
    if not photographs:
        raise ValueError(f"must be a folder of pictures. Received: {folder}")
    return photographs


def prepare(picture: Image.Image) -> np.ndarray:
    """Scales a picture so that its shorter side has `SHORTER_SIDE` pixels.

    Returns:
        Shape `(height, width, 3)`, RGB from 0 to 1, float32.
    """
    scale = SHORTER_SIDE / min(picture.size)
    size = [round(scale * side) for side in picture.size]
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small, "float32") / 255


def random_crops(
    photographs: list[np.ndarray], size: int, batch: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray]]:
    """Yields endless batches for `fit`, each crop from a random place of a random photograph.

    Args:
        photographs: as `prepare` makes them.
        size: height and width of the crops, at most `SHORTER_SIDE`.
        batch: crops per batch.
        rng: decides the photographs, the places, and which crops are mirrored.
    """
    while True:
        chosen = rng.integers(len(photographs), size=batch)
        yield (np.stack([_crop(photographs[index], size, rng) for index in chosen]),)


def _crop(photograph, size, rng):
    top, left = (rng.integers(side - size + 1) for side in photograph.shape[:2])
    crop = photograph[top : top + size, left : left + size]
    return crop[:, ::-1] if rng.random() < 0.5 else crop
