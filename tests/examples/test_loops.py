"""The loops of one's own: each is run as a user runs it."""

import os
import re
import subprocess
import sys

import keras
import pytest

from tests.backends import skip_without
from tests.examples.programs import EXAMPLES, run_program

LOOPS = EXAMPLES / "loops"


def printed_by(program, backend):
    """Returns the lines that a program prints; it must neither fail nor warn.

    It runs in this process, which fails by any warning, unless it needs another backend.
    """
    if backend == keras.backend.backend():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KERAS_BACKEND", backend)  # the program sets it, and this sets it back
            patch.syspath_prepend(LOOPS)
            patch.delitem(sys.modules, "digits", raising=False)
            return run_program(f"loops/{program}").splitlines()
    run = subprocess.run(
        [sys.executable, "-W", "error:rho is trained:UserWarning", LOOPS / program],
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # PyTorch's threads would wait for each other
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    return run.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "backend"),
    [
        ("gradient_tape.py", "tensorflow"),
        ("jax_stateless.py", "jax"),
        ("torch_backward.py", "torch"),
    ],
)
def test_loop_learns_and_moves_rho(program, backend):
    skip_without(backend)
    lines = printed_by(program, backend)
    pattern = r"epoch \d: loss (\S+), accuracy (\S+)%, mean rho bin1 (\S+), bin2 (\S+)"
    epochs = [[float(value) for value in re.fullmatch(pattern, line).groups()] for line in lines]
    losses, accuracies, *gates = zip(*epochs, strict=True)
    assert losses[-1] < losses[0] / 5
    assert accuracies[-1] > 80
    # 66 steps of 2e-3 move a gate by at most 0.13, steps ten times as long by more.
    assert all(rho[-1] < 0.8 for rho in gates)


@pytest.mark.slow
def test_gan_moves_the_gates_of_its_generator():
    lines = printed_by("gan.py", "tensorflow")
    epochs, pictures = lines[:4], lines[4:]
    pattern = r"epoch \d+: discriminator_loss \S+, generator_loss \S+, mean rho (\S+), (\S+)"
    gates = [[float(value) for value in re.fullmatch(pattern, line).groups()] for line in epochs]
    assert max(gates[-1]) < 0.9
    assert len(pictures) == 8
    assert {len(line) for line in pictures} == {6 * 8 * 2}
    assert len(set("".join(pictures))) > 3
