"""Errors of the disk say what to do and name the destination; errors of other files stay."""

import errno
import os
import re

import keras
import pytest

from keras_bin.export import export_onnx, export_saved_model, prune
from keras_bin.export.files.publish import publish_file, publish_folder, staging
from keras_bin.export.models import weight_size
from keras_bin.export.onnx_files import external
from keras_bin.export.onnx_files import writer as onnx_writer
from keras_bin.export.saved_models import writer as saved_model_writer
from keras_bin_cli.program import main
from tests.export.folders import contents, fail, fail_at, file_of, folder_of, no_room
from tests.export.kinds import bin_model, classifier

WORDS = r"needs a folder that it can write to, on a disk with room.*make room.*choose another"


def limited(function, size):
    """Returns a function during which no file can grow beyond `size` bytes."""

    def work(*arguments, **keywords):
        with no_room(size):
            return function(*arguments, **keywords)

    return work


@pytest.mark.parametrize("name", ["_write", "write_warm_up", "write_manifest"])
def test_saved_model_that_does_not_fit_names_its_folder(name, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model_writer, name, limited(getattr(saved_model_writer, name), 50))
    with pytest.raises(OSError, match=rf"{WORDS}.*File too large") as caught:
        export_saved_model(bin_model(), tmp_path / "new")
    assert caught.value.filename == str(tmp_path / "new")
    assert ".keras-bin-" not in caught.value.filename
    assert contents(tmp_path) == []


def test_samples_take_no_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model_writer, "compare", limited(saved_model_writer.compare, 0))
    assert export_saved_model(bin_model(), tmp_path / "new").path.is_dir()


@pytest.mark.parametrize("weights", ["inside", "outside"])
def test_onnx_file_that_does_not_fit_is_named(weights, tmp_path, monkeypatch):
    if weights == "outside":
        monkeypatch.setattr(weight_size, "LARGEST_INSIDE", 0)
        monkeypatch.setattr(external, "SMALLEST_OUTSIDE", 100)
    monkeypatch.setattr(onnx_writer, "_write", limited(onnx_writer._write, 400))
    path = tmp_path / "new" / "model.onnx"
    with pytest.raises(OSError, match=rf"{WORDS}.*File too large") as caught:
        export_onnx(classifier(), path)
    assert caught.value.filename == str(path)
    assert contents(tmp_path) == []


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT], ids=errno.errorcode.get)
def test_failing_sync_of_a_folder_names_the_folder_around_it(step, code, tmp_path, monkeypatch):
    def work():
        with staging(tmp_path) as staged:
            written = folder_of(staged)
            fail_at(step, code, monkeypatch)
            publish_folder(written, tmp_path / "1", overwrite=False)

    with pytest.raises(OSError, match=rf"{WORDS}.*\({os.strerror(code)}\)") as caught:
        work()
    assert (caught.value.errno, caught.value.filename) == (code, str(tmp_path))


@pytest.mark.parametrize("step", range(2))
def test_failing_sync_of_a_file_names_it(step, tmp_path, monkeypatch):
    path = tmp_path / "final"

    def work():
        with staging(tmp_path, path) as staged:
            written = file_of(staged)
            fail_at(step, errno.ENOSPC, monkeypatch)
            publish_file(written, path, overwrite=False)

    with pytest.raises(OSError, match=rf"{WORDS}.*No space left") as caught:
        work()
    assert caught.value.filename == str(path)


def refuse(source, destination):
    """Fails as a rename does."""
    raise PermissionError(errno.EACCES, "Permission denied", str(source), None, str(destination))


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_failing_rename_names_where_it_was_to_go(relative, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = tmp_path.relative_to(tmp_path) if relative else tmp_path

    def rename(source, destination):
        raise PermissionError(
            errno.EACCES, "Permission denied", str(source), None, str(destination)
        )

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(PermissionError, match=WORDS) as caught, staging(base) as staged:
        publish_folder(folder_of(staged), base / "1", overwrite=False)
    assert (caught.value.filename, caught.value.filename2) == (str(base / "1"), None)


def test_version_that_cannot_be_pruned_is_named(tmp_path, monkeypatch):
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()

    def rename(source, destination):
        raise PermissionError(
            errno.EACCES, "Permission denied", str(source), None, str(destination)
        )

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(PermissionError, match="change its permissions") as caught:
        prune(tmp_path, 1)
    assert caught.value.filename == str(tmp_path / "1")


def test_disk_without_room_for_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.mkdtemp", fail(errno.ENOSPC))
    with pytest.raises(OSError, match=rf"{WORDS}.*No space left") as caught:
        with staging(tmp_path):
            pass
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/words.txt"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "words.txt"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        OSError("in words"),
        OSError(errno.EBADF, "Bad file descriptor", 7),
    ],
    ids=lambda error: str(error),
)
def test_error_of_something_else_is_left_as_it_is(error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=re.escape(str(error))) as caught, staging(tmp_path):
        raise error
    assert caught.value is error


def test_command_line_says_it_in_one_line(model_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(onnx_writer, "_write", limited(onnx_writer._write, 100))
    assert main(["export", str(model_file), str(tmp_path / "out.onnx"), "--quiet"]) == 1
    printed = capsys.readouterr().err
    assert re.match(rf"keras-bin: error: .*{WORDS}", printed)
    assert str(tmp_path / "out.onnx") in printed
    assert printed.count("\n") == 1


@pytest.fixture
def model_file(tmp_path):
    keras.saving.save_model(bin_model(), tmp_path / "model.keras")
    return tmp_path / "model.keras"
