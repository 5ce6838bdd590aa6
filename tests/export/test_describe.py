"""Each file and folder is described as what it is."""

import os

import pytest

from keras_bin.export import export_onnx, export_saved_model
from keras_bin.export.describe import Version, VersionsFolder, describe
from keras_bin.export.models.keras_file import KerasFile
from keras_bin.export.onnx_files.reader import OnnxFile
from keras_bin.export.saved_models.reader import SavedModelFolder
from tests.export.kinds import bin_model


def as_keras(folder):
    bin_model().save(folder / "model.keras")
    return folder / "model.keras"


def as_keras_of_another_name(folder):
    return as_keras(folder).rename(folder / "model.zip")


def as_saved_model(folder):
    return export_saved_model(bin_model(), folder / "model").path


def as_base(folder):
    return as_saved_model(folder).parent


def as_onnx(folder):
    return export_onnx(bin_model(), folder / "model.bin").path


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (as_keras, KerasFile),
        (as_keras_of_another_name, ValueError),
        (as_saved_model, SavedModelFolder),
        (as_base, VersionsFolder),
        (as_onnx, OnnxFile),
    ],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize("as_type", [str, lambda path: path], ids=["str", "Path"])
def test_kind_is_recognized(make, kind, as_type, tmp_path):
    path = as_type(make(tmp_path))
    if kind is ValueError:
        with pytest.raises(ValueError, match=r"must be a whole .keras file"):
            describe(path)
    else:
        assert type(describe(path)) is kind


def test_versions_are_in_the_order_of_their_number(tmp_path):
    for name in ("9", "10", "v11", ".12", "٣", "13"):
        (tmp_path / name).mkdir()
    for name in ("9", "10", "v11", ".12", "٣"):
        (tmp_path / name / "saved_model.pb").write_bytes(b"x" * int(name.strip("v.")))
    found = describe(tmp_path)
    assert found == VersionsFolder(tmp_path, 45, (Version(9, 9), Version(10, 10)))
    assert found.as_dict() == {
        "kind": "versions",
        "path": str(tmp_path),
        "size": 45,
        "versions": [{"version": 9, "size": 9}, {"version": 10, "size": 10}],
    }


def test_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"check its spelling. Received: '.*no', which"):
        describe(tmp_path / "no")


def test_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"A folder must be a SavedModel.*Received: "):
        describe(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_may_have_no_end_is_refused(make, tmp_path):
    make(tmp_path / "model.onnx")
    with pytest.raises(FileNotFoundError, match="which is not a file or folder"):
        describe(tmp_path / "model.onnx")
