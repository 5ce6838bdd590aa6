"""Addresses of object stores on the command line: one line of error, and no file."""

import pytest

from keras_bin_cli.program import main

ADDRESS = "s3://bucket/model"
COMMANDS = {
    "export to": ["export", "{file}", ADDRESS],
    "export to ONNX": ["export", "{file}", f"{ADDRESS}.onnx"],
    "export to both": ["export", "{file}", ADDRESS, "--format", "onnx", "--format", "saved_model"],
    "export from": ["export", f"{ADDRESS}.keras", "out"],
    "export with samples": ["export", "{file}", "out", "--samples", f"{ADDRESS}.npz"],
    "verify": ["verify", ADDRESS, "{file}"],
    "verify against": ["verify", "{file}", f"{ADDRESS}.keras"],
    "verify with samples": ["verify", "{file}", "{file}", "--samples", f"{ADDRESS}.npz"],
    "inspect": ["inspect", ADDRESS],
    "convert to": ["convert", "{file}", f"{ADDRESS}.keras"],
    "convert from": ["convert", f"{ADDRESS}.keras", "bin.keras"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_address_is_refused_before_a_model_is_loaded(
    command, model_file, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_bin_cli.program._work", None)
    assert main([word.format(file=model_file) for word in command]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("keras-bin: error: Invalid value for '")
    assert "it must be the path of a local file or folder" in printed.err
    assert ADDRESS in printed.err
    assert printed.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [model_file.name]
