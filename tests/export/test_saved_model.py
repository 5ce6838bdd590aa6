"""Writing SavedModels: TensorFlow Serving's layout, what is refused, what a failure leaves."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import ExportReport, ValuesError, export_saved_model, saved_model
from tests.export.models import BIN, bin_model
from tests.export.programs import contents, serving
from tests.export.values import arrays, predict, snapshot


def versions(base):
    return sorted(path.name for path in base.iterdir())


@pytest.fixture
def model():
    return bin_model()


@pytest.fixture
def wrong_values(monkeypatch):
    """Makes the written SavedModel compute something else than the model."""
    write = saved_model._write

    def write_wrong(folded, path):
        folded.get_layer("bin").offset.assign_add([0.0, 0.01, 0.0])
        write(folded, path)

    monkeypatch.setattr(saved_model, "_write", write_wrong)


def test_report_says_what_was_written(model, tmp_path):
    report = export_saved_model(model, tmp_path / "models" / "digits")
    assert isinstance(report, ExportReport)
    assert report.path == tmp_path / "models" / "digits" / "1"
    assert (report.path / "saved_model.pb").is_file()
    assert report.layers_folded == 1
    assert not report.cast_to_float32
    assert (report.atol, report.rtol) == (1e-4, 1e-4)
    assert 0 <= report.max_abs_difference < 1e-5
    assert report.seconds > 0
    assert versions(tmp_path / "models") == ["digits"]
    assert versions(tmp_path / "models" / "digits") == ["1"]


@pytest.mark.parametrize("base_type", [str, Path], ids=["str", "Path"])
def test_base_may_be_a_string_and_relative(base_type, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export_saved_model(model, base_type("digits")).path == Path("digits", "1")
    assert versions(tmp_path / "digits") == ["1"]


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([], "1"),
        (["1"], "2"),
        (["1", "7"], "8"),
        (["v1", "0.1", "latest", "-3", ".5"], "1"),
        (["v9", "3", "10"], "11"),
        (["007"], "8"),
    ],
    ids=["empty", "one", "gap", "no integers", "by number", "leading zeros"],
)
def test_next_version_is_one_above_the_highest(present, expected, tmp_path):
    for name in present:
        (tmp_path / name).mkdir()
    assert str(saved_model._next_version(tmp_path)) == expected


def test_versions_follow_each_other(model, tmp_path):
    for name in ("3", "v8"):
        (tmp_path / name).mkdir()
    paths = [export_saved_model(model, tmp_path).path for _ in range(2)]
    assert [path.name for path in paths] == ["4", "5"]
    assert versions(tmp_path) == ["3", "4", "5", "v8"]


def test_given_version_is_written(model, tmp_path):
    assert export_saved_model(model, tmp_path, version=20).path == tmp_path / "20"
    assert export_saved_model(model, tmp_path, version=3).path == tmp_path / "3"
    assert versions(tmp_path) == ["20", "3"]


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


def test_overwrite_replaces_a_version_whole(model, tmp_path):
    other = bin_model(0.5)
    path = export_saved_model(model, tmp_path, version=2).path
    (path / "left.txt").write_text("of the old version")
    assert export_saved_model(other, tmp_path, version=2, overwrite=True).path == path
    x = tf.constant(arrays(model, 3)[0])
    np.testing.assert_allclose(
        serving(path)(image=x)["bin"], predict(other, [x])[0], rtol=1e-5, atol=1e-5
    )
    assert versions(tmp_path) == ["2"]
    assert not (path / "left.txt").exists()


def test_overwrite_without_a_version_still_takes_the_next(model, tmp_path):
    export_saved_model(model, tmp_path)
    assert export_saved_model(model, tmp_path, overwrite=True).path.name == "2"


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


@pytest.mark.parametrize("failing", ["fold", "compare", "load_artifact"])
def test_nothing_is_left_by_a_failure(failing, model, tmp_path, monkeypatch):
    def fail(*_arguments, **_keywords):
        raise KeyboardInterrupt

    if failing == "fold":
        monkeypatch.setattr("keras_bin.export.source.fold", fail)
    else:
        monkeypatch.setattr(saved_model, failing, fail)
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


def test_tolerances_and_samples_reach_the_verification(model, tmp_path):
    x = arrays(model, 5)[0]
    report = export_saved_model(model, tmp_path, samples={"image": x}, atol=1e-3, rtol=0.0)
    assert (report.atol, report.rtol) == (1e-3, 0.0)
    with pytest.raises(ValueError, match=r"`samples`.*\['x'\] for inputs \['image'\]"):
        export_saved_model(model, tmp_path, samples={"x": x})
    assert versions(tmp_path) == ["1"]


def test_bad_tolerance_is_refused_before_anything_is_made(model, tmp_path):
    with pytest.raises(ValueError, match=r"finite numbers.*atol=-1"):
        export_saved_model(model, tmp_path / "new", atol=-1)
    assert contents(tmp_path) == []
