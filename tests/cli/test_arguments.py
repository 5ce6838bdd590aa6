"""Slips and mix-ups in arguments: what is said of them, before anything is imported."""

import os

import pytest

from keras_bin_cli.program import main

COMMANDS = {
    "command": (["exprt"], "No such command 'exprt'. Did you mean 'export'?"),
    "option": (["inspect", "net.keras", "--qiet"], "Did you mean '--quiet'?"),
    "word": (["export", "net.keras", "x", "--format", "onxx"], "Did you mean onnx? Received: onxx"),
    "other spelling": (["export", "net.keras", "x", "--format", "ONNX"], "Did you mean onnx?"),
    "other format": (
        ["export", "net.keras", "x", "--format", "tflite"],
        "keras_bin.export.fold(model).export(path, format='litert') writes it. Received: tflite",
    ),
    "file": (["inspect", "nets.keras"], "does not exist; did you mean 'net.keras'?"),
    "ending": (["export", "net.keras", "net.onx"], "Did you mean net.onnx? Received: 'net.onx'"),
    "artifact": (
        ["export", "net.keras", "net.h5"],
        "A .h5 file: keras_bin.export.fold(model).",
    ),
    "swapped: verify": (["verify", "net.keras", "models/1"], "ARTIFACT comes before MODEL; they"),
    "swapped: verify a folder": (["verify", "net.keras", "models"], "ARTIFACT comes before MODEL"),
    "swapped: export": (["export", "models", "net.keras"], "MODEL and OUT look swapped."),
    "swapped: convert": (["convert", "bin.keras", "net.keras"], "IN and OUT look swapped."),
    "versions": (["verify", "models", "net.keras"], "must be one version, such as models/1."),
    "two models": (["verify", "net.keras", "net.keras"], "which is a .keras file"),
    "two artifacts": (["verify", "models/1", "models/1"], "MODEL must be a .keras file."),
    "renamed": (["inspect", "net.zip"], "PATH must end in .keras; rename it."),
    "damaged and another": (["convert", "cut.keras", "net.keras"], "a .keras file. Received:"),
    "nothing": (["inspect", ""], "Invalid value for 'PATH': it must name a file or folder."),
    "no arguments": ([], "Missing command. (see keras-bin --help)"),
    "samples": (["verify", "models/1", "net.keras", "--samples", "net.keras"], "must be an .npz"),
    "weights": (["export", "net.weights.h5", "x"], "must be a whole model; load the weights"),
}


@pytest.fixture
def folder(model_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = model_file.read_bytes()
    for name, part in (("net.keras", content), ("net.zip", content), ("cut.keras", content[:-9])):
        (tmp_path / name).write_bytes(part)
    (tmp_path / "models" / "1").mkdir(parents=True)
    (tmp_path / "models" / "1" / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    (tmp_path / "net.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n\x09")
    model_file.unlink()
    monkeypatch.setattr("keras_bin_cli.program._work", None)
    return tmp_path


@pytest.mark.parametrize(("arguments", "error"), COMMANDS.values(), ids=COMMANDS)
def test_slip_is_one_line_with_what_was_meant(arguments, error, folder, capsys):
    before = sorted(folder.rglob("*"))
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("keras-bin: error: ")
    assert printed.err.count("\n") == 1
    assert error in printed.err
    assert sorted(folder.rglob("*")) == before


PLACES = {
    "inside a file": (["net.zip/x"], "net.zip' is not a folder"),
    "folder in place of a file": (["models", "--format", "onnx"], "must be a file, not a folder"),
    "taken": (["taken.onnx"], "must not exist; choose another, or pass --overwrite"),
    "version": (["models", "--version", "1"], "Received: 'models/1'"),
    "dangling": (["gone/x"], "gone' is not a folder"),
    "long": (["x" * 300], "File name too long"),
    "read-only": (["locked/x"], "locked' is write-protected"),
}


@pytest.mark.parametrize(("arguments", "error"), PLACES.values(), ids=PLACES)
def test_place_where_nothing_can_be_written_is_refused(
    arguments, error, folder, capsys, monkeypatch
):
    (folder / "taken.onnx").touch()
    (folder / "models.onnx").mkdir()
    (folder / "gone").symlink_to("nowhere")
    (folder / "locked").mkdir()
    may = os.access
    monkeypatch.setattr(os, "access", lambda at, how: at.name != "locked" and may(at, how))
    assert main(["export", "net.keras", *arguments]) == 2
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("out", ["v1.2", "net.v2", "new/net.final", "old.h5"])
def test_folder_with_a_dot_is_allowed(out, folder, monkeypatch):
    """A folder with versions stays one, whatever its name."""
    (folder / "models").rename(folder / "old.h5")
    requests = []
    monkeypatch.setattr("keras_bin_cli.program._work", lambda *given: requests.append(given[0]))
    assert main(["export", "net.keras", out]) == 0
    assert str(requests[0].options.base) == out
