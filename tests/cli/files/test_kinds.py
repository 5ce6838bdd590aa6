"""What is at a path: told by content, whole or cut off, and for whatever is no model."""

import io
import os
import pickle
import zipfile

import h5py
import numpy as np
import onnx
import pytest

from keras_bin.export import export_onnx, export_saved_model
from keras_bin_cli.files.kinds import Kind, find, versions
from tests.export.kinds import bin_model


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a file of each kind that commands take."""
    folder = tmp_path_factory.mktemp("files")
    model = bin_model()
    model.save(folder / "net.keras")
    export_onnx(model, folder / "net.onnx", verbose=False)
    export_saved_model(model, folder / "net", verbose=False)
    np.savez(folder / "samples.npz", image=np.ones(3))
    for version in ("earliest", "v108", "v110", "latest"):
        with h5py.File(folder / f"{version}.h5", "w", libver=(version, "latest")) as file:
            file["weights"] = np.ones(1000)
    return folder


KINDS = {
    "net.keras": Kind.KERAS,
    "net.onnx": Kind.ONNX,
    "net": Kind.VERSIONS,
    "net/1": Kind.SAVED_MODEL,
    "samples.npz": Kind.ARRAYS,
    "earliest.h5": Kind.HDF5,
    "v108.h5": Kind.HDF5,
    "v110.h5": Kind.HDF5,
    "latest.h5": Kind.HDF5,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_kind_is_told(name, kind, whole):
    assert find(whole / name) == (kind, f"is {kind.value}")


@pytest.mark.parametrize("name", [name for name in KINDS if "." in name and "onnx" not in name])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated_file_is_called_that(share, name, whole, tmp_path):
    content = (whole / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    found = find(tmp_path / name)
    assert found.kind is Kind.FOREIGN
    assert found.words.endswith("that is truncated; copy or write it again")


def test_onnx_file_truncated_at_any_byte_is_called_that(whole, tmp_path):
    content = (whole / "net.onnx").read_bytes()
    head = onnx.load_from_string(content)
    del head.metadata_props[:]  # the last field: a file that ends between two entries is whole
    assert content.startswith(head.SerializeToString())
    graph = content.index(b":", content.index(b"keras-bin"))  # the tag of the field
    for size in range(graph + 1, head.ByteSize()):
        (tmp_path / "net.onnx").write_bytes(content[:size])
        found = find(tmp_path / "net.onnx")
        words = "is an ONNX file that is truncated; copy or write it again"
        assert found == (Kind.FOREIGN, words), size


def test_truncated_saved_model_is_called_that(whole, tmp_path):
    content = (whole / "net" / "1" / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[:-10])
    assert find(tmp_path).words == (
        "is a folder whose saved_model.pb is a SavedModel that is truncated; copy or write it again"
    )


@pytest.mark.parametrize("name", ["net.keras", "net.onnx"])
def test_name_does_not_count(name, whole, tmp_path):
    (tmp_path / "net.zip").write_bytes((whole / name).read_bytes())
    assert find(tmp_path / "net.zip") == find(whole / name)


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name in names:
            zipped.writestr(name, "text")
    return file.getvalue()


FOREIGN = {
    "empty": (b"", "an empty file"),
    "text": ("Größe: 1\n".encode(), "a text file"),
    "text cut in a letter": (("x" * 511 + "é").encode(), "a text file"),
    "XML": (b'<?xml version="1.0"?><net/>', "an XML file"),
    "web page": (b"\n<!DOCTYPE html><html>", "a web page"),
    "JSON": (b'{"a": 1}', "a JSON file"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1",
        "a Git LFS pointer",
    ),
    "pickle": (pickle.dumps([1]), "a pickle"),
    "array": (b"\x93NUMPY\x01\0", "a NumPy array"),
    "LiteRT": (b"\x1c\0\0\0TFL3\0\0", "a LiteRT file"),
    "gzip": (b"\x1f\x8b\x08\0", "a gzip archive"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "PyTorch": (archive("net/data.pkl", "net/version"), "a PyTorch file"),
    "archive": (archive("notes.txt"), "a zip archive without a Keras model"),
    "empty archive": (archive(), "an empty zip archive"),
    "GraphDef": (b"\x0a\x05\x0a\x03abc" + b"\x22\x02\x08\x01", "a file of another kind"),
    "zeros": (bytes(1000), "a file of another kind"),
    "noise": (np.random.default_rng(0).bytes(3000), "a file of another kind"),
}


@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_other_file_is_named(content, words, tmp_path):
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    found = find(path)
    assert found.kind is Kind.FOREIGN
    assert found.words.startswith(f"is {words}")


def test_file_of_a_saved_model_is_no_saved_model(whole):
    words = "is a file of a SavedModel; give the folder that it is in"
    assert find(whole / "net" / "1" / "saved_model.pb") == (Kind.FOREIGN, words)


def test_other_folders_and_devices_are_named(tmp_path):
    assert find(tmp_path) == (Kind.FOREIGN, "is an empty folder")
    (tmp_path / "1").mkdir()
    assert find(tmp_path) == (Kind.FOREIGN, "is a folder without a SavedModel")
    os.mkfifo(tmp_path / "pipe")
    assert find(tmp_path / "pipe") == (Kind.FOREIGN, "is neither a file nor a folder")


def test_what_is_missing_is_told_by_how(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    assert find(tmp_path / "none") == (Kind.MISSING, "does not exist")
    part = "does not exist, as part of the path is a file"
    assert find(tmp_path / "file" / "none") == (Kind.MISSING, part)
    assert find(tmp_path / "link") == (Kind.MISSING, "leads to 'gone', which is missing")
    assert find(tmp_path / "loop").words.startswith("cannot be read: ")
    assert find(tmp_path / ("x" * 300)).words == "cannot be read: File name too long"


def test_forbidden_file_is_called_that(whole, monkeypatch):
    def refuse(*_given):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert find(whole / "net.onnx").words == "cannot be read: Permission denied"


def test_versions_are_saved_models_in_order_of_their_numbers(tmp_path):
    for name in ("2", "10", "9", "latest", "³"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "11").mkdir()
    assert [path.name for path in versions(tmp_path)] == ["2", "9", "10"]
