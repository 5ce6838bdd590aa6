"""Artifacts as they are read back: what they state, and what they compute."""

import keras
import numpy as np
import pytest

from keras_bin.export import export_onnx, export_saved_model
from keras_bin.export.artifact import load_artifact
from keras_bin.export.signature import TensorInfo
from tests.export.models import BIN, IMAGE, KINDS
from tests.export.values import arrays, predict


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    keras.utils.set_random_seed(0)
    folder, model = tmp_path_factory.mktemp("artifacts"), KINDS["dicts"]()
    paths = {
        "saved_model": export_saved_model(model, folder).path,
        "onnx": export_onnx(model, folder / "model.onnx").path,
    }
    return model, paths


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_signature_is_read_from_the_file(kind, written):
    signature = load_artifact(written[1][kind]).signature
    assert sorted(signature.inputs) == [
        TensorInfo("left", (None, *IMAGE), "float32"),
        TensorInfo("right", (None, *IMAGE), "float32"),
    ]
    assert sorted(signature.outputs) == [
        TensorInfo("image", (None, 6, 4, 3), "float32"),
        TensorInfo("mask", (None, *IMAGE), "float32"),
    ]


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_outputs_are_named_arrays(kind, written):
    model, paths = written
    left, right = values = arrays(model, 3)
    got = load_artifact(paths[kind]).run({"right": right, "left": left})
    assert sorted(got) == ["image", "mask"]
    for name, expected in zip(("image", "mask"), predict(model, values), strict=True):
        assert isinstance(got[name], np.ndarray)
        # float32 rounding of values up to 10.
        np.testing.assert_allclose(got[name], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_dtypes_have_the_names_of_keras(dtype, kind, tmp_path):
    inputs = keras.Input(IMAGE, dtype=dtype, name="x")
    model = keras.Model(inputs, BIN()(keras.ops.cast(inputs, "float32")))
    export = export_saved_model if kind == "saved_model" else export_onnx
    path = export(model, tmp_path / "artifact").path
    assert load_artifact(path).signature.inputs == (TensorInfo("x", (None, *IMAGE), dtype),)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_path_without_an_artifact_is_refused(name, tmp_path):
    (tmp_path / "empty").mkdir()
    path = tmp_path / name
    with pytest.raises(FileNotFoundError, match=r"SavedModel directory \(base/<version>\)") as got:
        load_artifact(path)
    assert str(path) in str(got.value)


def test_folder_of_versions_is_no_artifact(written):
    with pytest.raises(FileNotFoundError, match="SavedModel directory"):
        load_artifact(written[1]["saved_model"].parent)
