"""`--input-names` and `--output-names`: names that clients keep, from the shell."""

import types

import keras
import pytest
from keras import layers

from keras_bin.export.describe import describe
from keras_bin.networks.tensor_names import renamed
from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.names import check_names


@pytest.fixture
def files(tmp_path):
    """Paths of a model of two inputs and an output, and of what it is exported to."""
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, layers.Dense(2)(layers.Subtract()(inputs)))
    model.save(tmp_path / "net.keras")
    return tmp_path / "net.keras", tmp_path / "net"


GIVEN = {
    "commas": ["--input-names", "x,y", "--output-names", "z"],
    "repeated": ["--input-names", "x", "--input-names=y", "--output-names", "z"],
    "spaces": ["--input-names", " x, y", "--output-names", "z "],
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_both_formats_have_the_names(given, files, run_json):
    model, out = files
    code, found, error = run_json(
        "export", model, out, "--format", "saved_model", "--format", "onnx", *given
    )
    assert (code, error) == (0, "")
    saved_model, onnx_file = (describe(report["path"]) for report in found["reports"])
    for artifact in (saved_model.signatures[0], onnx_file):
        assert [info.name for info in artifact.inputs] == ["x", "y"]
        assert [info.name for info in artifact.outputs] == ["z"]
    for report in found["reports"]:
        assert run_json("verify", report["path"], model)[0] == 0


def test_verify_takes_the_names_of_an_artifact(files, run_json):
    model, out = files
    names = ["--input-names", "x,y", "--output-names", "z"]
    assert run_json("export", model, out, *names)[0] == 0
    assert run_json("verify", out / "1", model, *names)[0] == 0
    code, found, error = run_json("verify", out / "1", model, "--output-names", "other")
    assert (code, found["error"]["type"]) == (1, "NamesError")
    assert "--output-names in a shell" in error
    assert "outputs: expected ['other'], got ['z']" in error


WRONG = {
    "empty": ("", "Each name"),
    "comma_at_the_end": ("x,", "Each name"),
    "doubled": ("x,x", "must differ"),
    "impossible": ("x,1y", "Each name"),
    "keyword": ("x,class", "Each name"),
}


@pytest.mark.parametrize(("names", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("command", ["export", "verify"])
def test_impossible_names_are_refused_at_once(names, words, command, files, run_json, monkeypatch):
    monkeypatch.setattr("keras_bin_cli.program._work", None)
    model, out = files
    (out / "1").mkdir(parents=True)
    (out / "1" / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    paths = (model, out) if command == "export" else (out / "1", model)
    code, found, _ = run_json(command, *paths, "--input-names", names)
    assert code == 2
    assert words in found["error"]["message"]
    assert f"Received: --input-names {names!r}" in found["error"]["message"]


@pytest.mark.parametrize("option", ["--input-names", "--output-names"])
def test_wrong_number_of_names_is_a_wrong_argument(option, files, run_json):
    model, out = files
    code, found, _ = run_json("export", model, out, option, "a,b,c")
    assert (code, found["error"]["type"]) == (2, "UsageError")
    assert "must contain a name for each" in found["error"]["message"]
    assert not out.exists()


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize(
    "name", ["x", "x_1", "X9", "_1", "1", "é", "a b", "self", "None", "match", "a:0", "\n", "\0a"]
)
def test_the_shell_takes_the_names_that_python_takes(name, side):
    given = [] if side == "output" else [name]
    options = types.SimpleNamespace(
        input_names=given, output_names=[name] if side == "output" else []
    )
    try:
        renamed(["old"], [name], side)
    except ValueError:
        with pytest.raises(WrongArguments):
            check_names(options)
    else:
        check_names(options)
        assert getattr(options, f"{side}_names") == [name]
