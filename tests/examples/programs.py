"""Running an example as a user does, and reading what it leaves behind."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import matplotlib.image
import numpy as np

from common.office_home import DOMAINS

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_program(name, *arguments):
    """Runs an example in a process of its own; returns what it printed."""
    result = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


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
