"""Help and wrong arguments: answered without what takes seconds to import."""

import subprocess
import sys

import pytest

from tests import forks
from tests.structure import ROOT

HEAVY = ["keras", "keras_bin", "numpy", "rich", "tensorflow"]
PROGRAM = f"""
import sys
from keras_bin_cli.program import main
code = main(sys.argv[1:])
print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""
LIGHT = {
    "help": (["--help"], 0),
    "help of a command": (["export", "--help"], 0),
    "versions": (["--version"], 0),
    "usage": (["export", "--formt", "onnx"], 2),
    "value": (["export", "a", "b", "--opset", "99", "--json"], 2),
    "missing file": (["inspect", "none.keras"], 2),
    "foreign file": (["inspect", "setup.cfg"], 2),
    "destination": (["export", "{file}", "net.tflite"], 2),
    "existing destination": (["convert", "{file}", "{file}"], 2),
    "swapped": (["verify", "{file}", "models/1"], 2),
    "module": (["inspect", "{file}", "--import", "none.py"], 2),
}


def imported(program, *arguments, run=subprocess.run):
    """Runs a program; returns its exit code, and the last line of its standard error."""
    done = run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("arguments", "code"), LIGHT.values(), ids=LIGHT)
def test_nothing_heavy_is_imported(arguments, code, model_file):
    given = [word.format(file=model_file) for word in arguments]
    assert imported(PROGRAM, *given) == (code, "")


@pytest.mark.slow
def test_the_check_can_fail(model_file):
    code, found = imported(PROGRAM, "inspect", str(model_file), run=forks.run)
    assert (code, found.split()) == (0, HEAVY)
