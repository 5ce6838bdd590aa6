"""Everything that takes a path refuses addresses of object stores before any work is done."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import keras
import pytest

from keras_bin.export import export_onnx, export_saved_model, prune, verify
from keras_bin.export.describe import describe
from keras_bin.export.files.remote import refuse_remote
from keras_bin.export.models.keras_file import load_keras_file
from tests.export.kinds import bin_model

ADDRESSES = (
    "gs://bucket/model",
    "s3://bucket/model",
    "hdfs://host:8020/model",
    "abfss://container@account.dfs.core.windows.net/model",
    "file:///tmp/model",
    "https://example.org/model.onnx",
    "S3A://bucket/model",
    "svn+ssh://host/model",
    "gs://bucket",
    "gs:/bucket/model",
)


class CloudPath:
    """A path whose text is an address, as in packages for object stores."""

    def __fspath__(self):
        return "/tmp/cache/model"

    def __str__(self):
        return "gs://bucket/model"


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", [str, Path, PureWindowsPath, str.encode], ids=lambda x: x.__name__)
def test_address_is_refused(kind, address):
    with pytest.raises(ValueError, match=r"Write to a local folder, then copy it.*Received: "):
        refuse_remote(kind(address))


def test_path_that_stands_for_an_address_is_refused():
    with pytest.raises(ValueError, match=r"Received: 'gs://bucket/model'$"):
        refuse_remote(CloudPath())


@pytest.mark.parametrize(
    "path",
    [
        "model",
        "models/digits.onnx",
        "/models/gs:/1",
        "models/gs://1",
        "C:/models",
        "C:\\models",
        "c://models",
        "a:b",
        "model:2",
        "2024-01-01T10:00/model",
        "//server/share",
        "",
        PurePosixPath("/models"),
        PureWindowsPath("C:\\models"),
        b"models",
    ],
    ids=repr,
)
def test_path_of_a_file_system_is_none(path):
    refuse_remote(path)


def test_what_is_no_path_is_refused_as_by_pathlib():
    with pytest.raises(TypeError, match="not int"):
        refuse_remote(1)


ENTRIES = {
    "export_saved_model": lambda path: export_saved_model(bin_model(), path),
    "source": lambda path: export_saved_model(bin_model(), "local", source=path),
    "export_onnx": lambda path: export_onnx(bin_model(), path),
    "verify": lambda path: verify(path, bin_model()),
    "prune": lambda path: prune(path, 1),
    "describe": describe,
    "load_keras_file": load_keras_file,
}


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_nothing_is_done_with_an_address(entry, kind, tmp_path, monkeypatch):
    def work(*_arguments, **_keywords):
        raise AssertionError("work was done")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras.Model, "__call__", work)
    monkeypatch.setattr(keras.saving, "load_model", work)
    with pytest.raises(ValueError, match="must be that of a local file or folder"):
        entry(kind("gs://bucket/model.onnx"))
    assert list(tmp_path.iterdir()) == []
