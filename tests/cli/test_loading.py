"""`--import` and `--unsafe`: models with layers of the user's own, in every command."""

import importlib
import json
import sys

import keras
import pytest

from keras_bin_cli.program import main
from tests.export.kinds import IMAGE

MODULE = """
import keras

class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a model, and with the module of its layer, imported no more."""
    (tmp_path / "doubling.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        doubling = importlib.import_module("doubling")
    x = inputs = keras.Input(IMAGE, name="image")
    for layer in (doubling.Doubled(name="twice"), keras.layers.Conv2D(2, 3)):
        x = layer(x)
    outputs = keras.layers.BatchNormalization(name="norm")(x)
    keras.Model(inputs, outputs, name="net").save("net.keras")
    monkeypatch.delitem(sys.modules, "doubling")
    return tmp_path


COMMANDS = {
    "export": ["export", "net.keras", "net.onnx"],
    "convert": ["convert", "net.keras", "bin.keras"],
    "inspect": ["inspect", "net.keras"],
}


@pytest.mark.parametrize("name", ["doubling", "doubling.py"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_own_layer_is_found_in_what_is_imported(command, name, folder, capsys):
    assert main([*command, "--quiet"]) == 1
    error = capsys.readouterr().err
    assert "--import" in error
    assert "'Doubled'" in error
    assert "'twice'" in error
    assert main([*command, "--quiet", "--import", name]) == 0
    assert capsys.readouterr().err == ""


def test_artifact_is_verified_against_a_model_with_an_own_layer(folder, run_json):
    own = ["--import", "doubling"]
    assert main(["export", "net.keras", "net.onnx", "--quiet", *own]) == 0
    code, found, _ = run_json("verify", "net.onnx", "net.keras", *own)
    assert (code, found["passed"]) == (0, True)


@pytest.mark.parametrize(
    "name", ["doublin", "doublin.py", "none/doubling.py", "doubling.py/x", "doubling.x", "parts.no"]
)
def test_what_cannot_be_imported_is_refused_at_once(name, folder, capsys, monkeypatch):
    monkeypatch.setattr("keras_bin_cli.program._work", None)
    assert main(["inspect", "net.keras", "--import", name, "--json"]) == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert f"check its spelling. Received: {name!r}" in message


SLIPS = {
    "doublin": "doubling",
    "doublin.py": "doubling.py",
    "parts.linaer": "parts.linear",
    "prts.linear": "parts.linear",
}


@pytest.mark.parametrize("name", SLIPS)
def test_slip_in_a_module_is_asked_for(name, folder, capsys, monkeypatch):
    monkeypatch.setattr("keras_bin_cli.program._work", None)
    (folder / "parts").mkdir()
    (folder / "parts" / "__init__.py").write_text("raise ValueError('imported')")
    (folder / "parts" / "linear.py").touch()
    assert main(["inspect", "net.keras", "--import", name]) == 2
    assert f"did you mean {SLIPS[name]!r}?" in capsys.readouterr().err
