"""The command `keras-bin inspect`: what it prints of each kind of file."""

import json

import onnx
import pytest

import keras_bin
from keras_bin.export import export_onnx, export_saved_model
from keras_bin.export.describe import describe
from keras_bin.gates.plots import plot_rho
from keras_bin_cli.program import main
from testing.weights import randomize
from tests.export.kinds import bin_model, classifier


@pytest.fixture
def path(request, tmp_path):
    """A classifier as each kind of file."""
    model = randomize(classifier())
    if request.param == "keras":
        model.save(tmp_path / "model.keras")
        return tmp_path / "model.keras"
    if request.param == "onnx":
        path = export_onnx(model, tmp_path / "model.onnx").path
        proto = onnx.load(path)
        proto.metadata_props.add(key="source", value="[digits]")
        onnx.save(proto, path)
        return path
    model.save(tmp_path / "[digits].keras")
    path = export_saved_model(model, tmp_path / "model", source=tmp_path / "[digits].keras").path
    return path if request.param == "saved_model" else path.parent


FRAGMENTS = {
    "keras": (
        "model.keras: Keras model, ",
        "354 parameters",
        "keras_version",
        "free, 8, 6, 3",
        "rho: 2 BIN layers, 9 channels, 2 at 0, 2 at 1",
        "bin2",
    ),
    "saved_model": (
        "1: SavedModel, ",
        "TensorFlow 2.",
        "[digits].keras",
        "sha256",
        "warm-up requests",
        "batch-instance normalization",
        "rho: 2 BIN layers, 9 channels, 2 at 0, 2 at 1",
        "serve and serving_default: inputs and outputs\n",
        "free, 8, 6, 3",
        "head",
        "Conv2D",
    ),
    "onnx": (
        "model.onnx: ONNX file, ",
        f"written by keras-bin {keras_bin.__version__}; operator sets: ai.onnx 17\n",
        "[digits]",
        "instance_normalization",
        "batch-instance normalization",
        "rho: 2 BIN layers, 9 channels, 2 at 0, 2 at 1",
        "batch, 8, 6, 3",
        "head",
        "Conv",
    ),
    "versions": ("model: versions of a SavedModel: 1, ", "bytes"),
}


@pytest.mark.parametrize(
    ("path", "fragments"), FRAGMENTS.items(), indirect=["path"], ids=list(FRAGMENTS)
)
def test_text_holds_what_is_in_the_file(path, fragments, capsys):
    assert main(["inspect", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert [fragment for fragment in fragments if fragment not in printed.out] == []


@pytest.mark.parametrize("path", ["saved_model"], indirect=True)
def test_manifest_of_another_format_is_shown_as_it_is(path, capsys):
    (path / "keras_bin.json").write_text(json.dumps({"format": 2, "author": "[me]"}))
    assert main(["inspect", str(path)]) == 0
    assert "[me]" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["onnx"], indirect=True)
def test_onnx_file_of_another_program_is_shown(path, capsys):
    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {"layers": "many"})
    onnx.save(proto, path)
    assert main(["inspect", str(path)]) == 0
    assert "many" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["saved_model"], indirect=True)
def test_signatures_that_differ_are_shown_apart(path, capsys, monkeypatch):
    found = describe(path)
    first, second = found.signatures
    found = found._replace(signatures=(first, second._replace(operators={"Conv2D": 3})))
    monkeypatch.setattr("keras_bin_cli.work.inspect.describe", lambda *_given: found)
    assert main(["inspect", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "\nserve: inputs and outputs\n" in printed
    assert "\nserving_default: 3 operators of 1 kinds\n" in printed


@pytest.mark.parametrize("path", ["keras", "saved_model", "onnx", "versions"], indirect=True)
def test_json_is_the_description(path, run_json):
    code, found, error = run_json("inspect", path)
    assert (code, error) == (0, "")
    assert found == describe(path).as_dict()


@pytest.mark.parametrize("path", ["keras"], indirect=True)
def test_gates_of_a_keras_file_are_drawn(path, tmp_path, run_json, monkeypatch):
    drawn = []

    def record(model):
        drawn.append(plot_rho(model))
        return drawn[0]

    monkeypatch.setattr("keras_bin_cli.work.inspect.plot_rho", record)
    code, found, error = run_json("inspect", path, "--plot", tmp_path / "rho.png")
    assert (code, error) == (0, "")
    assert found == {"plot": str(tmp_path / "rho.png"), **describe(path).as_dict()}
    assert (tmp_path / "rho.png").read_bytes().startswith(b"\x89PNG")
    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert labels == [f"{layer.layer} ({layer.channels})" for layer in describe(path).rho]


@pytest.mark.parametrize("path", ["onnx"], indirect=True)
def test_gates_of_an_artifact_are_not_drawn(path, tmp_path, capsys):
    assert main(["inspect", str(path), "--plot", str(tmp_path / "rho.png")]) == 2
    error = capsys.readouterr().err
    assert "--plot needs a .keras file" in error
    assert str(path) in error
    assert not (tmp_path / "rho.png").exists()


@pytest.mark.parametrize("path", ["keras"], indirect=True)
def test_picture_is_named_after_the_tables(path, tmp_path, capsys):
    assert main(["inspect", str(path), "--plot", str(tmp_path / "rho.svg")]) == 0
    assert capsys.readouterr().out.endswith(f"\n{tmp_path / 'rho.svg'}: distribution of rho\n")


@pytest.mark.parametrize("path", ["keras"], indirect=True)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gs://bucket/rho.png", "gs://bucket"),
        ("taken/rho.png", "'taken' is not a folder"),
        ("folder.png", "must be a file, not a folder. Received: 'folder.png'"),
        ("rho.abc", "such as rho.png. Received: 'rho.abc'"),
        ("rho", "such as rho.png. Received: 'rho'"),
    ],
    ids=["remote", "in a file", "folder", "format", "no format"],
)
def test_picture_that_cannot_be_written_is_one_line(path, target, message, capsys, monkeypatch):
    monkeypatch.chdir(path.parent)
    (path.parent / "taken").touch()
    (path.parent / "folder.png").mkdir()
    assert main(["inspect", str(path), "--plot", target]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


def test_other_folder_is_refused(tmp_path, capsys):
    assert main(["inspect", str(tmp_path)]) == 2
    assert f"Received: {str(tmp_path)!r}, which is an empty folder" in capsys.readouterr().err


def test_model_without_gates_has_an_empty_table(tmp_path, capsys):
    model = bin_model()
    layer = type(model)(model.inputs, model.inputs[0] * 2.0)
    layer.save(tmp_path / "plain.keras")
    assert main(["inspect", str(tmp_path / "plain.keras")]) == 0
    assert "rho: 0 BIN layers, 0 channels" in capsys.readouterr().out
