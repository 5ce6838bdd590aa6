"""Fashion-MNIST: 70,000 scans of ten kinds of garments, 28x28 pixels.

Xiao et al. 2017, https://arxiv.org/abs/1708.07747.
"""

import os
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from common.scans import CLASSES, Scans
from fashion import idx

NAMES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "trainer",
    "bag",
    "ankle boot",
)
SIDE = 28
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class Part(NamedTuple):
    """The files of one part: the names of the file of scans and of that of labels."""

    scans: str
    labels: str


TRAIN = Part("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
TEST = Part("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def load_fashion_scans(folder: Path | None = None) -> Scans:
    """Loads Fashion-MNIST from four gzipped IDX files.

    Args:
        folder: where the files are. By default, the folder of Debian's package
            `dataset-fashion-mnist` is tried first, then Keras's cache; otherwise Keras downloads
            them.

    Raises:
        FileNotFoundError: the files are not in `folder`, or were not found and cannot be
            downloaded.
        ValueError: a file is broken, or does not hold what its name says.
    """
    found = _find(folder)
    train, test = (_read_part(found, part) for part in (TRAIN, TEST))
    return Scans(train[0], test[0], train[1], test[1])


def keras_folder() -> Path:
    """Returns the folder into which `keras.datasets.fashion_mnist` downloads."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home, "datasets", "fashion-mnist")


def _find(folder):
    """Returns the folder that holds all four files, after a download if needed."""
    for place in [folder] if folder else [DEBIAN_FOLDER, keras_folder()]:
        if not _missing(place):
            return place
    if folder:
        raise FileNotFoundError(
            f"a folder of Fashion-MNIST must hold {', '.join((*TRAIN, *TEST))}; {_ways()} "
            f"Received: {folder}, without {', '.join(_missing(folder))}"
        )
    try:
        keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # Keras raises no specific class if a download fails
        raise FileNotFoundError(
            f"Fashion-MNIST is needed; {_ways()} Received: nothing in {DEBIAN_FOLDER} and "
            f"{keras_folder()}, and the download failed: {error}"
        ) from error
    if _missing(keras_folder()):
        raise FileNotFoundError(
            f"Fashion-MNIST is needed; {_ways()} Received: a download that did not end in "
            f"{keras_folder()}, perhaps because that folder cannot be written to"
        )
    return keras_folder()


def _missing(folder):
    return [name for name in (*TRAIN, *TEST) if not (folder / name).is_file()]


def _ways():
    return (
        "get it in one of these ways: name a folder that holds its four files with `--folder`; "
        "on Debian or Ubuntu, run `apt install dataset-fashion-mnist`; put the files into "
        f"{keras_folder()}; or run again with a network, and Keras downloads them."
    )


def _read_part(folder, part):
    scans, labels = idx.read(folder / part.scans, 3), idx.read(folder / part.labels, 1)
    if scans.shape[1:] != (SIDE, SIDE):
        raise ValueError(
            f"{part.scans} must hold scans of {SIDE}x{SIDE} pixels. Received: {folder}, where "
            f"they have {scans.shape[1]}x{scans.shape[2]}"
        )
    if len(scans) != len(labels):
        raise ValueError(
            f"{part.scans} and {part.labels} must belong together. Received: {folder}, with "
            f"{len(scans):,} scans and {len(labels):,} labels"
        )
    if labels.size and labels.max() >= CLASSES:
        raise ValueError(
            f"{part.labels} must hold labels from 0 to {CLASSES - 1}. Received: {folder}, with "
            f"{labels.max()}"
        )
    return (scans / 255).astype("float32"), labels.astype(np.int64)
