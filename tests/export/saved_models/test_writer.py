"""Writing SavedModels: TensorFlow Serving's layout, manifest and warm-up."""

import json
import logging
import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import ExportReport, VerificationError, export_saved_model
from keras_bin.export.files.manifest import MANIFEST_FILE
from keras_bin.export.files.publish import PREFIX
from keras_bin.export.saved_models import manifest, warm_up, writer
from keras_bin.export.saved_models.structure import check_structure
from tests.export.kinds import BIN, bin_model
from tests.export.serving import serving
from tests.export.values import arrays, predict


def versions(base):
    return sorted(path.name for path in base.iterdir())


@pytest.fixture
def model():
    return bin_model()


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


def test_files_of_the_verification_lie_where_the_next_run_looks_for_leftovers(
    model, tmp_path, monkeypatch
):
    start, folders = writer.serving_process, []

    def note(folder):
        folders.append(folder)
        return start(folder)

    monkeypatch.setattr(writer, "serving_process", note)
    export_saved_model(model, tmp_path)
    (folder,) = folders
    assert folder.parent == tmp_path
    assert folder.name.startswith(PREFIX)
    assert not folder.exists()


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


def test_tolerances_and_samples_reach_the_verification(model, tmp_path):
    x = arrays(model, 5)[0]
    report = export_saved_model(model, tmp_path, samples={"image": x}, atol=1e-3, rtol=0.0)
    assert (report.atol, report.rtol) == (1e-3, 0.0)
    with pytest.raises(ValueError, match=r"`samples`.*\['x'\] for inputs \['image'\]"):
        export_saved_model(model, tmp_path, samples={"x": x})
    assert versions(tmp_path) == ["1"]


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_serving_process")
def test_fresh_process_verifies(model, tmp_path, monkeypatch):
    seen, start = [], writer.serving_process
    monkeypatch.setattr(writer, "serving_process", lambda at: seen.append(start(at)) or seen[0])
    report = export_saved_model(model, tmp_path)
    assert len(seen) == 1
    assert 0 <= report.max_abs_difference < 1e-5
    assert versions(tmp_path) == ["1"]


def test_warm_up_requests_are_run_as_they_are_read_back(model, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "read_warm_up", lambda _folder: [{"other": np.ones(1)}])
    with pytest.raises(VerificationError, match="fresh process"):
        export_saved_model(model, tmp_path)
    assert versions(tmp_path) == []


def test_warm_up_names_the_model_where_base_is_the_working_folder(model, tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path / "digits")
    path = export_saved_model(model, ".").path
    assert b"digits" in (path / warm_up.WARM_UP_FILE).read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_server_of_another_user_can_read_what_the_umask_lets_it(model, tmp_path):
    """The hidden folder, which only its owner can enter, does not become the version."""
    before = os.umask(0o022)
    try:
        path = export_saved_model(model, tmp_path / "digits").path
    finally:
        os.umask(before)
    modes = {
        (file.is_dir(), file.stat().st_mode & 0o777)
        for file in (path.parent, path, *path.rglob("*"))
    }
    assert modes == {(True, 0o755), (False, 0o644)}


def test_hidden_folder_is_not_named_in_the_log(model, tmp_path, caplog):
    with caplog.at_level("INFO", logger="tensorflow"):
        export_saved_model(model, tmp_path)
        assert tf.get_logger().level == logging.INFO
    assert ".keras-bin" not in caplog.text


def test_whole_version_has_its_name_at_once(model, tmp_path, monkeypatch):
    """Nothing but what was renamed is there afterwards."""
    staged, publish = {}, writer.publish_version

    def files(folder):
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    def publish_and_note(written, *arguments):
        staged.update(files(written))
        return publish(written, *arguments)

    monkeypatch.setattr(writer, "publish_version", publish_and_note)
    assert files(export_saved_model(model, tmp_path).path) == staged
    assert {"saved_model.pb", "keras_bin.json", str(warm_up.WARM_UP_FILE)} <= staged.keys()


def read_manifest(path):
    return json.loads((path / MANIFEST_FILE).read_text("utf-8"))


def test_manifest_says_what_was_written_and_checked(model, tmp_path):
    report = export_saved_model(model, tmp_path)
    content = read_manifest(report.path)
    info = {"shape": [None, 8, 6, 3], "dtype": "float32"}
    assert content["model"] == {
        "name": model.name,
        "inputs": [{"name": "image", **info}],
        "outputs": [{"name": "bin", **info}],
        "given_names": {"inputs": None, "outputs": None},
    }
    assert content["checks"]["structure"] == check_structure(report.path)
    values = content["checks"]["values"]
    assert values["max_abs"] == report.max_abs_difference
    assert (values["atol"], values["rtol"], values["samples"]) == (1e-4, 1e-4, 3)
    assert content["checks"]["warm_up"] == {"records": 2}
    assert content["checks"]["snapping_difference"] is None
    assert [(layer["layer"], layer["became"]) for layer in content["layers"]] == [
        ("bin", "batch-instance normalization")
    ]
    assert [(rho["layer"], rho["at_zero"], rho["at_one"]) for rho in content["rho"]] == [
        ("bin", 1, 1)
    ]
    assert content["source"] is None


def test_source_is_in_the_manifest(model, tmp_path):
    model.save(tmp_path / "net.keras")
    path = export_saved_model(model, tmp_path / "new", source=str(tmp_path / "net.keras")).path
    source = read_manifest(path)["source"]
    assert source == manifest.source_file(tmp_path / "net.keras")
    assert source["file"] == "net.keras"


def test_strings_are_served_and_warmed_up_with_samples(tmp_path):
    inputs = keras.Input((4,), dtype="string", name="words")
    x = keras.layers.StringLookup(vocabulary=["a", "b"])(inputs)
    x = BIN(name="bin")(keras.layers.Embedding(3, 2, embeddings_initializer="normal")(x))
    words = np.array([["a", "b", "c", ""]] * 3)
    path = export_saved_model(keras.Model(inputs, x), tmp_path, samples={"words": words}).path
    assert [batch["words"].tolist() for batch in warm_up.read_warm_up(path)] == [
        [[b"a", b"b", b"c", b""]] * size for size in (1, 3)
    ]
