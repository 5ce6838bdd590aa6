"""Writing SavedModels: what is refused, and what a failure leaves behind."""

import errno
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import OperatorError, ValuesError, VerificationError, export_saved_model
from keras_bin.export.saved_models import serving_process, writer
from tests.export.folders import contents, fail, fail_at, no_room
from tests.export.kinds import BIN, bin_model
from tests.export.serving import serving
from tests.export.values import arrays, predict, snapshot


def versions(base):
    return sorted(path.name for path in base.iterdir())


@pytest.fixture
def model():
    return bin_model()


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True], ids=repr)
def test_other_versions_are_refused(version, model, tmp_path):
    with pytest.raises(ValueError, match=rf"integer above 0.*version={version!r}$"):
        export_saved_model(model, tmp_path / "new", version=version)
    assert contents(tmp_path) == []


def test_existing_version_is_refused_and_unharmed(model, tmp_path):
    old = export_saved_model(model, tmp_path, version=2).path
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="pass overwrite=True") as caught:
        export_saved_model(bin_model(0.5), tmp_path, version=2)
    assert str(old) in str(caught.value)
    assert contents(tmp_path) == before
    x = tf.constant(arrays(model, 3)[0])
    np.testing.assert_allclose(
        serving(old)(image=x)["bin"], predict(model, [x])[0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.usefixtures("wrong_values")
def test_wrong_artifact_is_never_published(model, tmp_path):
    before = snapshot(model)
    with pytest.raises(ValuesError, match=r"'bin', batch of 3: largest absolute difference 0\.01"):
        export_saved_model(model, tmp_path / "made" / "too")
    assert contents(tmp_path) == []
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_existing_version_is_unharmed_when_its_successor_is_wrong(model, tmp_path, request):
    path = export_saved_model(model, tmp_path, version=2).path
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    request.getfixturevalue("wrong_values")
    with pytest.raises(ValuesError):
        export_saved_model(model, tmp_path, version=2, overwrite=True)
    assert versions(tmp_path) == ["2"]
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    "failing", ["Preparation", "_write", "check_structure", "compare", "write_manifest"]
)
def test_nothing_is_left_by_a_failure(failing, model, tmp_path, monkeypatch):
    def fail(*_arguments, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, failing, fail)
    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_saved_model(model, tmp_path / "kept" / "a" / "b")
    assert contents(tmp_path) == ["kept"]


@pytest.mark.parametrize("base", ["file", "file/inside"])
def test_base_that_is_a_file_is_refused(base, model, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(NotADirectoryError, match="a folder that it can write to") as caught:
        export_saved_model(model, tmp_path / base)
    assert str(tmp_path / base) in str(caught.value)
    assert (tmp_path / "file").read_text() == "kept"
    assert contents(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("thing", "error", "match"),
    [
        (lambda: "model.keras", TypeError, "must be a keras.Model"),
        (lambda: keras.Sequential([BIN()]), ValueError, "must be built"),
        (lambda: bin_model().get_layer("bin"), TypeError, "must be a keras.Model"),
    ],
    ids=["path", "unbuilt", "layer"],
)
def test_bad_models_are_refused_before_anything_is_made(thing, error, match, tmp_path):
    with pytest.raises(error, match=match):
        export_saved_model(thing(), tmp_path / "new")
    assert contents(tmp_path) == []


def test_other_backend_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"KERAS_BACKEND=tensorflow.*backend='jax'"):
        export_saved_model(model, tmp_path / "new")
    assert contents(tmp_path) == []


def test_bad_tolerance_is_refused_before_anything_is_made(model, tmp_path):
    with pytest.raises(ValueError, match=r"finite numbers.*atol=-1"):
        export_saved_model(model, tmp_path / "new", atol=-1)
    assert contents(tmp_path) == []


def with_lambda(function):
    inputs = keras.Input((8, 6, 3), name="image")
    x = keras.layers.Lambda(function, output_shape=(8, 6, 3))(inputs)
    return keras.Model(inputs, BIN(name="bin")(x))


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (
            lambda x: tf.ensure_shape(tf.numpy_function(np.negative, [x], x.dtype), x.shape),
            "no Python function",
        ),
    ],
    ids=["Python"],
)
def test_what_no_server_can_run_is_never_published(function, match, tmp_path):
    with pytest.raises(OperatorError, match=match):
        export_saved_model(with_lambda(function), tmp_path / "new")
    assert contents(tmp_path) == []


@pytest.mark.parametrize("step", [0, 4, -2, -1], ids=["first", "middle", "last file", "base"])
def test_full_disk_leaves_nothing(step, model, tmp_path, monkeypatch):
    path = export_saved_model(model, tmp_path).path
    synced = 1 + len([path, *path.rglob("*")])  # and the folder around it
    fail_at(step % synced, errno.ENOSPC, monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        export_saved_model(model, tmp_path)
    assert versions(tmp_path) == ["1"]


def test_file_that_does_not_fit_on_the_disk_leaves_nothing(model, tmp_path):
    with no_room(5_000), pytest.raises(OSError, match="make room") as caught:
        export_saved_model(model, tmp_path / "new")
    assert "File too large" in str(caught.value)
    assert contents(tmp_path) == []


def test_lost_permission_leaves_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "rename", fail(errno.EACCES))
    with pytest.raises(PermissionError):
        export_saved_model(model, tmp_path / "new")
    assert contents(tmp_path) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_base_without_permission_is_refused(model, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="change its permissions"):
            export_saved_model(model, tmp_path / "new")
    finally:
        tmp_path.chmod(0o700)
    assert contents(tmp_path) == []


def test_process_that_dies_is_an_error_that_leaves_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_process.serving_program, "__file__", os.devnull)
    monkeypatch.setattr(writer, "serving_process", serving_process.serving_process)
    with pytest.raises(VerificationError, match="ended with code 0"):
        export_saved_model(model, tmp_path / "new")
    assert contents(tmp_path) == []


def test_missing_source_is_refused_before_anything_is_made(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`source` must be the \.keras file.*net\.keras'"):
        export_saved_model(model, tmp_path / "new", source=tmp_path / "net.keras")
    assert contents(tmp_path) == []
