"""`.keras` files go from each backend to each: the same outputs, and the same next step."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_training_backends import QUICK_TO_COMPILE

BACKENDS = ("tensorflow", "jax", "torch")
FOUND = [backend for backend in BACKENDS if importlib.util.find_spec(backend) is not None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOUND != list(BACKENDS), reason="needs JAX and PyTorch; see .ci/backends"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where each backend has saved a model, and has written what it made of the others' files."""
    folder = tmp_path_factory.mktemp("exchange")
    processes = []
    for backend in FOUND:
        with (folder / f"{backend}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.exchange_program", folder, *FOUND],
                cwd=Path(__file__).parents[1],
                env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": QUICK_TO_COMPILE},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        processes.append(process)
    said = [process.stdout.readline() for process in processes]
    for process in processes:
        process.communicate("all have saved\n")
    for backend, process, line in zip(FOUND, processes, said, strict=True):
        assert (line, process.returncode) == ("saved\n", 0), (folder / f"{backend}.log").read_text()
    return folder


@pytest.mark.parametrize("reader", BACKENDS)
@pytest.mark.parametrize("writer", BACKENDS)
def test_file_computes_and_trains_as_where_it_was_written(writer, reader, folder):
    with (
        np.load(folder / f"{writer}-{reader}.npz") as found,
        np.load(folder / f"{writer}-{writer}.npz") as expected,
    ):
        assert sorted(found.files) == sorted(expected.files)
        for name in expected.files:
            # The kernels of two backends round differently.
            exact = name.startswith("restored")
            tolerance = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-5, "atol": 2e-6}
            np.testing.assert_allclose(found[name], expected[name], **tolerance, err_msg=name)
