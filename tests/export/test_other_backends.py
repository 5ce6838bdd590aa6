"""A net that was trained on another backend of Keras is exported under TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from keras_bin.export import export_onnx, export_saved_model
from tests.export.serving import serving

ROOT = Path(__file__).parents[2]
# The kernels of two backends round differently: by 3.6e-7 at most, measured on JAX and PyTorch, of
# outputs up to 1.7. Three times that, as processors differ in how they add.
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


@pytest.fixture(scope="module", params=["jax", "torch"])
def trained(request, tmp_path_factory):
    """The model under TensorFlow, the images, and what the other backend predicted."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; the extra `test` installs jax alone")
    folder = tmp_path_factory.mktemp(request.param)
    path, file = folder / "model.keras", folder / "predicted.npz"
    subprocess.run(
        [sys.executable, "-m", "tests.export.training_program", path, file],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": request.param},
        check=True,
    )
    predicted = np.load(file)
    assert predicted["backend"] == request.param
    return keras.saving.load_model(path), predicted["images"], predicted["head"]


@pytest.mark.slow
def test_saved_model_computes_what_the_other_backend_predicted(trained, tmp_path):
    model, images, expected = trained
    serve = serving(export_saved_model(model, tmp_path).path)
    np.testing.assert_allclose(serve(image=images)["head"], expected, **CLOSE)


@pytest.mark.slow
def test_onnx_file_computes_what_the_other_backend_predicted(trained, tmp_path):
    model, images, expected = trained
    path = export_onnx(model, tmp_path / "model.onnx").path
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["head"], {"image": images})[0], expected, **CLOSE)
