"""Running a program of the examples, and reading what it leaves behind."""

import contextlib
import gzip
import io
import json
import runpy
import sys
from pathlib import Path

import keras
import matplotlib.image
import numpy as np
import pytest

from common.office_home import DOMAINS
from fashion.data import TEST, TRAIN

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_program(name, *arguments):
    """Runs a program with arguments as its own main module; returns what it printed.

    It runs in this process: one of its own would spend most of a quick run on importing TensorFlow.
    """
    keras.utils.clear_session(free_memory=False)
    printed = io.StringIO()
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
            patch.setattr(sys, "argv", [name, *map(str, arguments)])
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:
        print(printed.getvalue())
    return printed.getvalue()


def read_results(folder):
    return json.loads((folder / "results.json").read_text())


def check_picture(path):
    """Checks that a picture decodes, is large enough to read, and not blank."""
    picture = matplotlib.image.imread(path)
    assert min(picture.shape[:2]) > 300
    assert picture[..., :3].std() > 0.1


def make_office_home(folder):
    """Makes a data set of Office-Home's form: two classes, two small pictures of each."""
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for name in ("Alarm Clock", "Bed"):
            (folder / domain / name).mkdir(parents=True)
            for number in range(2):
                picture = rng.integers(0, 256, (20 + number, 24, 3))
                keras.utils.save_img(folder / domain / name / f"{number}.jpg", picture, scale=False)
    return folder


def write_idx(path, array):
    """Writes a gzipped IDX file of unsigned bytes."""
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.astype("u1").tobytes(), mtime=0))


def make_fashion(folder, train=48, test=16):
    """Makes a data set of Fashion-MNIST's form, in which a bright row tells the class."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, number in ((TRAIN, train), (TEST, test)):
        labels = rng.permutation(np.arange(number) % 10)
        scans = rng.integers(0, 100, (number, 28, 28))
        scans[np.arange(number), 2 * labels + 4] = 255
        write_idx(folder / part.scans, scans)
        write_idx(folder / part.labels, labels)
    return folder
