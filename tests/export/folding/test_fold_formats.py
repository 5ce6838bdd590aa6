"""A folded model is an ordinary Keras model: it is saved, loaded, and exported by Keras itself."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export import fold
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE
from tests.export.serving import serving
from tests.export.values import arrays, predict
from tests.runtimes.litert_runtime import LITERT
from tests.runtimes.openvino_runtime import OPENVINO, SETTINGS
from tests.runtimes.runtime import require

LOAD = """
import sys
import keras
import keras_bin
import numpy as np
path, images, outputs = sys.argv[1:]
np.savez(outputs, **keras.saving.load_model(path).predict(np.load(images), verbose=0))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A `.keras` file of a folded model, images, and the outputs of the model itself."""
    path = tmp_path_factory.mktemp("folded") / "folded.keras"
    # Keras keeps the names of outputs in a dict; a dict of inputs Keras 3.9 cannot export.
    inputs = keras.Input(IMAGE, name="image")
    x = BIN()(layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, {"map": x, "mean": layers.GlobalAveragePooling2D()(x)})
    randomize(model)
    fold(model).save(path)
    (images,) = arrays(model, 3)
    return path, images, dict(zip(("map", "mean"), predict(model, [images]), strict=True))


def assert_equal(got, expected):
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        assert got[name].shape == values.shape
        # float32 rounding, of outputs up to 7; the largest difference measured is 1e-6.
        np.testing.assert_allclose(got[name], values, rtol=1e-6, atol=4e-6, err_msg=name)


@pytest.mark.slow
def test_file_loads_in_a_process_that_imports_keras_bin_and_gives_no_custom_objects(
    saved, tmp_path
):
    path, images, expected = saved
    np.save(tmp_path / "images.npy", images)
    files = [path, tmp_path / "images.npy", tmp_path / "outputs.npz"]
    subprocess.run([sys.executable, "-c", LOAD, *map(str, files)], check=True)
    assert_equal(dict(np.load(tmp_path / "outputs.npz")), expected)


def run_saved_model(path, images):
    return {name: value.numpy() for name, value in serving(path)(image=images).items()}


def run_onnx(path, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


def run_litert(path, images):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(path).get_signature_runner("serving_default")(image=images)


def run_openvino(path, images):
    import openvino

    model = openvino.Core().compile_model(path, "CPU", SETTINGS)
    computed = model({"image": images})
    return {port.any_name: computed[port] for port in model.outputs}


# Keras's ONNX export asks NumPy 2 for a name that NumPy 1 had.
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
@pytest.mark.parametrize(
    ("keras_format", "suffix", "run", "needed"),
    [
        ("tf_saved_model", "", run_saved_model, None),
        ("onnx", ".onnx", run_onnx, None),
        ("litert", ".tflite", run_litert, (LITERT, "LiteRT")),
        ("openvino", ".xml", run_openvino, (OPENVINO, "OpenVINO IR")),
    ],
    ids=["SavedModel", "ONNX", "LiteRT", "OpenVINO IR"],
)
def test_export_of_keras_itself_computes_what_the_unfolded_model_does(
    keras_format, suffix, run, needed, saved, tmp_path
):
    if needed is not None:
        require(*needed)
    path, images, expected = saved
    loaded = keras.saving.load_model(path)
    loaded(images)  # Keras's ONNX export refuses a model that was never called
    artifact = str(tmp_path / f"model{suffix}")
    loaded.export(artifact, format=keras_format, verbose=False)
    assert_equal(run(artifact, images), expected)
