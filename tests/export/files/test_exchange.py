"""Folders that exchange their names, and are restored if that fails or is interrupted."""

import errno
import os

import pytest

from keras_bin.export.files import exchange as exchange_module
from keras_bin.export.files.exchange import exchange, put_back
from tests.export.folders import contents


@pytest.fixture(params=["one step", "three renames"])
def steps(request, monkeypatch):
    if request.param == "three renames":
        monkeypatch.setattr(exchange_module, "_exchange_in_one_step", lambda *_paths: False)
    elif not hasattr(exchange_module.ctypes.CDLL(None), "renameat2"):
        pytest.skip("this system cannot exchange in one step")


@pytest.fixture
def paths(tmp_path):
    """A staged folder and its destination, with a file in each that says which it was."""
    paths = tmp_path / "hidden" / "model", tmp_path / "1"
    for path, text in zip(paths, ("new", "old"), strict=True):
        path.mkdir(parents=True)
        (path / "file").write_text(text)
    return paths


def texts(paths):
    return [(path / "file").read_text() for path in paths]


@pytest.mark.usefixtures("steps")
def test_folders_are_exchanged(paths):
    exchange(*paths)
    assert texts(paths) == ["old", "new"]


@pytest.mark.usefixtures("steps")
def test_file_and_folder_are_exchanged(paths):
    staged, destination = paths
    (destination / "file").unlink()
    destination.rmdir()
    destination.write_text("old")
    exchange(staged, destination)
    assert (staged.read_text(), (destination / "file").read_text()) == ("old", "new")


@pytest.mark.usefixtures("steps")
def test_missing_path_is_an_error_that_changes_nothing(paths):
    staged, destination = paths
    with pytest.raises(FileNotFoundError):
        exchange(staged.with_name("missing"), destination)
    assert texts(paths) == ["new", "old"]


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_failing_rename_changes_nothing(failing, paths, monkeypatch):
    monkeypatch.setattr(exchange_module, "_exchange_in_one_step", lambda *_paths: False)
    rename, calls = os.rename, []

    def fail_once(*arguments):
        calls.append(arguments)
        if len(calls) == failing:
            raise OSError(errno.EIO, "disk")
        rename(*arguments)

    monkeypatch.setattr(exchange_module.os, "rename", fail_once)
    with pytest.raises(OSError, match="disk"):
        exchange(*paths)
    assert len(calls) == 2 * failing - 1
    assert texts(paths) == ["new", "old"]


def test_what_was_aside_is_put_back(paths, tmp_path):
    _, destination = paths
    (tmp_path / "hidden" / exchange_module.ASIDE).mkdir()
    destination.rename(tmp_path / "hidden" / exchange_module.ASIDE / "1")
    put_back(tmp_path / "hidden", tmp_path)
    assert texts(paths) == ["new", "old"]
    assert contents(tmp_path / "hidden") == ["model", "model/file", exchange_module.ASIDE]


def test_what_has_been_replaced_is_not_put_back(paths, tmp_path):
    staged, _ = paths
    (tmp_path / "hidden" / exchange_module.ASIDE).mkdir()
    staged.rename(tmp_path / "hidden" / exchange_module.ASIDE / "1")
    put_back(tmp_path / "hidden", tmp_path)
    assert (tmp_path / "1" / "file").read_text() == "old"


def test_nothing_aside_is_fine(paths, tmp_path):
    put_back(tmp_path / "hidden", tmp_path)
    assert texts(paths) == ["new", "old"]
