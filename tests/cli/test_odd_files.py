"""Damaged and empty files, and files of other kinds: every command prints one line of error."""

import shutil

import numpy as np
import pytest

from keras_bin_cli.program import main


@pytest.fixture
def odd(model_file, tmp_path):
    """A folder of files that no command accepts."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ("empty.keras", "empty.onnx", "empty.npz", "empty"):
        (folder / name).touch()
    for name in ("text.keras", "text.onnx", "text.json", "text.textproto", "text.h5"):
        (folder / name).write_text("hi: 1")
    for name in ("folder", "folder.keras", "folder.onnx", "empty.pb", "folder.pb"):
        (folder / name).mkdir()
    (folder / "empty.pb" / "saved_model.pb").touch()
    (folder / "folder.pb" / "saved_model.pb").mkdir()
    (folder / "cut.keras").write_bytes(model_file.read_bytes()[:1000])
    shutil.copy(model_file, folder / "renamed.onnx")
    np.savez(folder / "arrays.npz", image=np.ones((4, 8, 6, 3)))
    np.save(folder / "array.npy", np.ones(3))
    (folder / "dangling.keras").symlink_to("gone")
    (folder / "loop.onnx").symlink_to("loop.onnx")
    return folder


def assert_one_line(arguments, capsys):
    assert main([str(argument) for argument in arguments]) == 2, arguments
    printed = capsys.readouterr()
    assert printed.out == "", arguments
    assert printed.err.startswith("keras-bin: error: "), arguments
    assert printed.err.count("\n") == 1, arguments
    assert "--debug shows where" not in printed.err, arguments


@pytest.mark.parametrize(
    "command", ["inspect", "verify", "verify against", "samples", "export", "convert"]
)
def test_file_of_another_kind_is_one_line(command, odd, model_file, tmp_path, capsys):
    for path in [*sorted(odd.iterdir()), odd / "gone", odd / ("x" * 300), model_file / "inside"]:
        arguments = {
            "inspect": ["inspect", path],
            "verify": ["verify", path, model_file],
            "verify against": ["verify", model_file, path],
            "samples": ["verify", model_file, model_file, "--samples", path],
            "export": ["export", path, tmp_path / "out"],
            "convert": ["convert", path, tmp_path / "out" / "bin.keras"],
        }[command]
        if command == "samples" and path.name == "arrays.npz":
            continue
        assert_one_line(arguments, capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_place_where_nothing_can_be_written_is_one_line(kind, odd, model_file, capsys):
    for place in ("empty/model", "loop.onnx/model", "x" * 300):
        arguments = ["export", model_file, odd / place, "--format", kind]
        assert_one_line(arguments, capsys)
