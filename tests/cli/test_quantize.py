"""The command `keras-bin quantize`: the file that it writes, and what it refuses."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bin_cli.commands.quantize import MAX_ERROR, RUNTIMES
from keras_bin_cli.program import main
from tests.export.kinds import bin_model
from tests.export.quantizing.nets import exported, pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an ONNX file, and pictures."""
    made = tmp_path_factory.mktemp("net")
    exported(made)
    np.savez(made / "pictures.npz", image=pictures())
    return made


def arguments(folder, out, *options):
    return [str(folder / "float.onnx"), str(out), "--data", str(folder / "pictures.npz"), *options]


def test_file_is_written_and_reported(folder, tmp_path, capsys):
    out = tmp_path / "int8.onnx"
    assert main(["quantize", *arguments(folder, out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{out}: int8 for onnxruntime, 3 of 4 linear operators, ")
    assert main(["inspect", str(out)]) == 0
    assert "int8 by onnxruntime" in capsys.readouterr().out


def test_json_is_the_report(folder, tmp_path, run_json):
    out = tmp_path / "int8.onnx"
    code, found, error = run_json("quantize", *arguments(folder, out, "--reduce-range"))
    assert (code, error) == (0, "")
    assert found["path"] == str(out)
    assert found["size"] == out.stat().st_size
    assert 0 < found["errors"]["logits"] < 0.06


def test_openvino_is_a_runtime(folder, tmp_path, run_json):
    pytest.importorskip("nncf", reason="needs the extra `int8`")
    out = tmp_path / "int8.onnx"
    code, found, _ = run_json("quantize", *arguments(folder, out, "--runtime", "openvino"))
    assert (code, found["quantized"], found["runtime"]) == (0, 4, "openvino")


def test_error_that_is_too_large_ends_with_1(folder, tmp_path, capsys):
    out = tmp_path / "int8.onnx"
    assert main(["quantize", *arguments(folder, out, "--max-error", "1e-5")]) == 1
    assert "must be within 1e-05" in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A folder with a model, a SavedModel, and pictures under another name."""
    made = tmp_path_factory.mktemp("others")
    bin_model().save(made / "net.keras")
    tf.saved_model.save(tf.Module(), str(made / "net" / "1"))
    np.savez(made / "other.npz", picture=pictures())
    return made


WRONG = {
    "which is a .keras file": ["{others}/net.keras", "{out}", "--data", "{net}/pictures.npz"],
    "`keras-bin export` writes one": ["{others}/net/1", "{out}", "--data", "{net}/pictures.npz"],
    "does not exist": ["{net}/flaot.onnx", "{out}", "--data", "{net}/pictures.npz"],
    "Missing option '--data'": ["{net}/float.onnx", "{out}"],
    "--data must be an .npz file": ["{net}/float.onnx", "{out}", "--data", "{net}/float.onnx"],
    "must map the name of every input": [
        "{net}/float.onnx",
        "{out}",
        "--data",
        "{others}/other.npz",
    ],
    "OUT must not exist": ["{net}/float.onnx", "{net}/float.onnx", "--data", "{net}/pictures.npz"],
    "it must be onnxruntime or openvino": ["{net}/float.onnx", "{out}", "--runtime", "litert"],
    "it must be a finite number above 0": ["{net}/float.onnx", "{out}", "--max-error", "0"],
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_arguments_end_with_2(words, folder, others, tmp_path, capsys):
    out = tmp_path / "int8.onnx"
    given = [word.format(net=folder, others=others, out=out) for word in WRONG[words]]
    assert main(["quantize", *given]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_choices_are_the_exporters():
    from keras_bin.export.quantizing import quantize, tools

    assert list(RUNTIMES) == list(tools.TOOLS)
    assert MAX_ERROR == quantize.MAX_ERROR
