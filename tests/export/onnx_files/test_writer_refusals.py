"""ONNX files that are not written: what is refused, and what a failure leaves behind."""

import sys

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from keras_bin.export import ValuesError, VerificationError, export_onnx
from keras_bin.export.onnx_files import writer
from testing.weights import randomize
from tests import forks
from tests.export.folders import contents
from tests.export.kinds import BIN, IMAGE, bin_model
from tests.export.values import arrays, predict

MISSING = """
import sys
sys.modules["{package}"] = None
import keras
import keras_bin.export
inputs = keras.Input((4, 4, 1))
model = keras.Model(inputs, keras_bin.BatchInstanceNormalization()(inputs))
try:
    keras_bin.export.export_onnx(model, "made/model.onnx")
except ImportError as error:
    print(error)
"""


def run_onnx(path, x):
    return onnxruntime.InferenceSession(path).run(["bin"], {"image": x})[0]


@pytest.fixture
def model():
    return bin_model()


@pytest.mark.parametrize("opset", [12, 19, 0, -1, "17", None, 16.5, 17.0], ids=repr)
def test_opset_out_of_range_is_refused(opset, model, tmp_path):
    with pytest.raises(ValueError, match=rf"integer from 13 to 18.*opset={opset!r}$"):
        export_onnx(model, tmp_path / "new" / "model.onnx", opset=opset)
    assert contents(tmp_path) == []


@pytest.mark.parametrize("package", ["tf2onnx", "onnx", "onnxruntime"])
def test_missing_package_of_the_extra_is_named(package, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"need {package}; .*pip install 'keras-bin\[onnx\]'"):
        export_onnx(model, tmp_path / "new" / "model.onnx")
    assert contents(tmp_path) == []


@pytest.mark.slow
def test_exporter_imports_without_the_extra(tmp_path):
    program = MISSING.format(package="onnxruntime")
    done = forks.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert "ONNX files need onnxruntime" in done.stdout
    assert contents(tmp_path) == []


def test_existing_file_is_refused_and_unharmed(model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("kept")
    with pytest.raises(FileExistsError, match="pass overwrite=True") as caught:
        export_onnx(model, path)
    assert str(path) in str(caught.value)
    assert path.read_text() == "kept"


def test_existing_file_is_refused_before_any_work(model, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "Preparation", None)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(FileExistsError):
        export_onnx(model, tmp_path / "model.onnx")


def test_file_that_appears_during_the_export_is_kept(model, tmp_path, monkeypatch):
    compare = writer.compare

    def compare_while_another_exports(*arguments):
        (tmp_path / "model.onnx").write_text("of another exporter")
        return compare(*arguments)

    monkeypatch.setattr(writer, "compare", compare_while_another_exports)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        export_onnx(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_text() == "of another exporter"
    assert contents(tmp_path) == ["model.onnx"]


def test_overwrite_replaces_the_file(model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    with pytest.warns(
        UserWarning, match=r"not known whether .*model\.onnx' have to change.*damaged"
    ):
        assert export_onnx(model, path, overwrite=True).path == path
    (x,) = arrays(model, 3)
    np.testing.assert_allclose(run_onnx(path, x), predict(model, [x])[0], rtol=1e-5, atol=1e-5)
    assert contents(tmp_path) == ["model.onnx"]


@pytest.mark.usefixtures("wrong_values")
def test_wrong_artifact_is_never_published(model, tmp_path):
    with pytest.raises(ValuesError, match=r"'bin', batch of 3: largest absolute difference 0\.01"):
        export_onnx(model, tmp_path / "made" / "too" / "model.onnx")
    assert contents(tmp_path) == []


@pytest.mark.usefixtures("wrong_values")
def test_existing_file_is_unharmed_when_its_successor_is_wrong(model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("kept")
    with pytest.raises(ValuesError):
        export_onnx(model, path, overwrite=True)
    assert path.read_text() == "kept"
    assert contents(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize("failing", ["Preparation", "_write", "load_artifact", "compare"])
def test_nothing_is_left_by_a_failure(failing, model, tmp_path, monkeypatch):
    def fail(*_arguments, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, failing, fail)
    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_onnx(model, tmp_path / "kept" / "a" / "b" / "model.onnx")
    assert contents(tmp_path) == ["kept"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_is_refused(overwrite, model, tmp_path):
    (tmp_path / "models").mkdir()
    with pytest.raises(IsADirectoryError, match="must name a file") as caught:
        export_onnx(model, tmp_path / "models", overwrite=overwrite)
    assert str(tmp_path / "models") in str(caught.value)
    assert contents(tmp_path) == ["models"]


@pytest.mark.parametrize("path", ["file/model.onnx", "file/inside/model.onnx"])
def test_file_as_parent_is_refused(path, model, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(NotADirectoryError, match="a folder that it can write to") as caught:
        export_onnx(model, tmp_path / path)
    assert str((tmp_path / path).parent) in str(caught.value)
    assert (tmp_path / "file").read_text() == "kept"
    assert contents(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: "model.keras", TypeError, "must be a keras.Model"),
        (lambda: keras.Sequential([BIN()]), ValueError, "must be built"),
    ],
    ids=["path", "unbuilt"],
)
def test_bad_models_are_refused_before_anything_is_made(make, error, match, tmp_path):
    with pytest.raises(error, match=match):
        export_onnx(make(), tmp_path / "new" / "model.onnx")
    assert contents(tmp_path) == []


def test_nan_is_refused_with_the_path_of_its_layer(model, tmp_path):
    model.get_layer("bin").rho.assign([np.nan, 0, 1])
    with pytest.raises(ValueError, match=r"`rho` must be finite.*bin/rho=\[ *nan"):
        export_onnx(model, tmp_path / "new" / "model.onnx")
    assert contents(tmp_path) == []


def test_bad_tolerance_is_refused_before_anything_is_made(model, tmp_path):
    with pytest.raises(ValueError, match=r"finite numbers.*rtol=nan"):
        export_onnx(model, tmp_path / "new" / "model.onnx", rtol=float("nan"))
    assert contents(tmp_path) == []


def test_loop_over_a_free_number_of_steps_is_refused_in_words(tmp_path):
    """tf2onnx loses shapes in such loops."""
    inputs = keras.Input((None, *IMAGE))
    outputs = layers.TimeDistributed(BIN())(inputs)
    model = randomize(keras.Model(inputs, outputs))
    with pytest.raises(
        VerificationError, match="ONNX checker must accept the file; tf2onnx converted"
    ):
        export_onnx(model, tmp_path / "model.onnx")
    assert contents(tmp_path) == []
