"""The programs that train in several processes: each is run as a user runs it."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.backends import QUICK_TO_COMPILE, skip_without
from tests.examples.programs import EXAMPLES
from tests.keras_versions import needs_keras

SECONDS = 240  # none of the programs takes a fourth of that


def run(program, *arguments):
    """Returns the exit code of a program and its lines; a deadline ends all that it started."""
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / program, *map(str, arguments)],
        env={**os.environ, "XLA_FLAGS": QUICK_TO_COMPILE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, printed.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "arguments"),
    [
        ("tensorflow", ["--epochs", 3]),
        pytest.param(
            *("jax", ["--devices", 2, "--epochs", 3]),
            marks=needs_keras("3.11", "takes no arrays in several processes"),
        ),
        ("torch", ["--steps", 10]),
    ],
    ids=["tensorflow", "jax", "torch"],
)
def test_processes_learn_and_end_with_the_same_weights(backend, arguments):
    skip_without(backend)
    code, lines = run(f"distributed_{backend}.py", "--processes", 2, *arguments)
    assert code == 0, "\n".join(lines)
    pattern = r"(?:step|epoch) \d+: loss (\S+),(?: accuracy \S+,)? mean rho (\S+)"
    steps = [found.groups() for line in lines if (found := re.fullmatch(pattern, line))]
    assert len(steps) == arguments[-1]
    assert float(steps[-1][0]) < float(steps[0][0])
    assert float(steps[-1][1]) < 1
    assert "The weights and moving statistics of 2 processes agree." in lines
