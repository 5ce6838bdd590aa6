"""BINModel and its exports on other backends of Keras, each in its own process."""

import importlib.util
import json
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
from tests import loops_on_backends
from tests.backend_program import OPTIMIZERS
from tests.export.serving import serving
from tests.training.test_training_backends import QUICK_TO_COMPILE

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", params=["jax", "torch"])
def trained(request, tmp_path_factory):
    """What the program printed on one backend, and the file that it saved."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; the extra `test` installs only jax")
    path = tmp_path_factory.mktemp(request.param) / "model.keras"
    run = subprocess.run(
        [sys.executable, "-m", "tests.backend_program", path],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": request.param, "XLA_FLAGS": QUICK_TO_COMPILE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1]), path


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_first_step_is_scaled_and_training_learns(trained, name):
    result = trained[0][name]
    assert np.abs(result["step"]).max() > 1e-5
    # rho near 0.5 resolves steps to 6e-8, so smaller steps are scaled with that error.
    scaled = 10 * np.array(result["step"])
    np.testing.assert_allclose(result["scaled"], scaled, rtol=0.01, atol=6e-7)
    assert result["losses"][-1] < result["losses"][0]


@pytest.mark.slow
def test_converted_model_computes_the_same_and_leaves_its_source_alone(trained):
    result = trained[0]["conversion"]
    assert result["gates"] == [2, 2]
    assert max(result["differences"]) <= 1e-5
    assert result["kept"]


@pytest.mark.slow
def test_every_weight_was_trained(trained):
    assert all(trained[0]["trained"])


@pytest.mark.slow
def test_history_records_the_gates_of_the_model(trained):
    history = trained[0]["history"]
    assert history["recorded"] == history["after"]
    assert history["recorded"][1] != history["recorded"][0]
    assert history["means"] == [np.mean(gates) for gates in history["after"][1:]]


@pytest.mark.slow
def test_training_that_cannot_move_rho_is_said_once(trained):
    assert trained[0]["said"] == [[], ["rho has not moved"], ["rho cannot learn "]]


@pytest.mark.slow
@pytest.mark.parametrize("name", loops_on_backends.OPTIMIZERS)
def test_loop_trains_as_the_model(trained, name):
    ways = trained[0]["loops"][name]
    assert [result["said"] for result in ways.values()] == [0, 0]
    steps = [np.array(result["rho"]) - 0.5 for result in ways.values()]
    assert np.abs(steps[0]).max() > 5e-3
    # rho near 0.5 resolves steps to 6e-8.
    np.testing.assert_allclose(*steps, rtol=1e-4, atol=6e-7)


@pytest.mark.slow
def test_unscaled_steps_are_said(trained):
    assert [result["said"] for result in trained[0]["loops"]["unscaled"].values()] == [1, 1]


@pytest.mark.slow
def test_frozen_rho_stays_and_the_others_learn(trained):
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    assert trained[0]["learned_with_frozen_rho"] == names


def run_saved_model(model, images, folder):
    serve = serving(export_saved_model(model, folder).path)
    return serve(**{model.inputs[0].name: images})["head"]


def run_onnx_file(model, images, folder):
    path = export_onnx(model, folder / "model.onnx").path
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["head"], {model.inputs[0].name: images})[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "run",
    [
        lambda model, images, _folder: model.predict(images, verbose=0),
        run_saved_model,
        run_onnx_file,
    ],
    ids=["Keras", "SavedModel", "ONNX"],
)
def test_file_and_its_exports_predict_the_same_under_tensorflow(run, trained, tmp_path):
    results, path = trained
    outputs = run(keras.saving.load_model(path), batch()[0], tmp_path)
    # The kernels of two backends round differently, and processors differ in how they add.
    np.testing.assert_allclose(outputs, results["prediction"], rtol=1e-6, atol=1e-6)
