"""`.keras` files go from each backend to each: the same outputs, and the same next step."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from keras_bin.export import export_onnx, export_saved_model
from testing.small_net import batch
from tests.backends import BACKENDS, FOUND, QUICK_TO_COMPILE, skip_without
from tests.export.serving import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where each backend has saved a model, and has written what it made of the others' files."""
    folder = tmp_path_factory.mktemp("exchange")
    processes = []
    # PyTorch's threads would wait for each other.
    settings = {"XLA_FLAGS": QUICK_TO_COMPILE, "OMP_NUM_THREADS": "1"}
    for backend in FOUND:
        with (folder / f"{backend}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.exchange_program", folder, *FOUND],
                cwd=Path(__file__).parents[1],
                env={**os.environ, **settings, "KERAS_BACKEND": backend},
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
    skip_without(writer)
    skip_without(reader)
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


def saved_model(model, images, folder):
    serve = serving(export_saved_model(model, folder).path)
    return serve(**{model.inputs[0].name: images})["head"]


def onnx_file(model, images, folder):
    path = export_onnx(model, folder / "model.onnx").path
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["head"], {model.inputs[0].name: images})[0]


@pytest.mark.parametrize("exported", [saved_model, onnx_file])
@pytest.mark.parametrize("writer", ["jax", "torch"])
def test_exports_of_a_file_compute_as_where_it_was_written(writer, exported, folder, tmp_path):
    skip_without(writer)
    outputs = exported(keras.saving.load_model(folder / f"{writer}.keras"), batch()[0], tmp_path)
    with np.load(folder / f"{writer}-{writer}.npz") as expected:
        # The kernels of two backends round differently, and processors differ in how they add.
        np.testing.assert_allclose(outputs, expected["output"], rtol=1e-6, atol=1e-6)
