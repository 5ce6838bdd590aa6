"""The command `keras-bin export`: what it writes, where, and what it refuses."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from keras_bin_cli.program import main
from tests.export.kinds import bin_model, classifier
from tests.export.values import arrays, predict


def test_both_formats_are_written_beside_each_other(model_file, tmp_path, capsys):
    out = tmp_path / "models" / "digits"
    code = main(
        ["export", str(model_file), str(out), "--format", "saved_model", "--format", "onnx"]
    )
    assert code == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{out / '1'}: BIN layers folded: 1")
    assert printed[1].startswith(f"{out}.onnx: BIN layers folded: 1")
    assert [line for line in printed if "│ BatchInstanceNormalization │" in line] != []

    model = keras.saving.load_model(model_file)
    values = arrays(model, 3)
    (expected,) = predict(model, values)
    served = tf.saved_model.load(str(out / "1")).signatures["serving_default"]
    np.testing.assert_allclose(
        served(tf.constant(values[0]))["bin"], expected, rtol=1e-5, atol=1e-5
    )
    session = onnxruntime.InferenceSession(f"{out}.onnx")
    (got,) = session.run(["bin"], {"image": values[0]})
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_table_says_what_became_of_each_layer_and_why(tmp_path, capsys):
    classifier().save(tmp_path / "ones.keras")
    assert main(["export", str(tmp_path / "ones.keras"), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("What became of each normalization layer") == 1
    assert "absorbed into conv1" in printed
    assert "absorbed into conv2" in printed

    bin_model(1.0).save(tmp_path / "first.keras")
    assert main(["export", str(tmp_path / "first.keras"), str(tmp_path / "first")]) == 0
    printed = capsys.readouterr().out
    assert "affine map" in printed
    assert "its input is an input of the model" in printed


def test_model_without_normalization_has_no_table(tmp_path, capsys):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "dense.keras")
    assert main(["export", str(tmp_path / "dense.keras"), str(tmp_path / "dense")]) == 0
    assert "What became" not in capsys.readouterr().out


def test_saved_model_alone_is_the_default_and_takes_the_next_version(model_file, tmp_path):
    out = tmp_path / "digits"
    assert [main(["export", str(model_file), str(out)]) for _ in range(2)] == [0, 0]
    assert sorted(path.name for path in out.iterdir()) == ["1", "2"]
    assert not (tmp_path / "digits.onnx").exists()


def test_version_opset_and_overwrite_reach_the_exporter(model_file, tmp_path, capsys):
    out = str(tmp_path / "digits.onnx")
    command = ["export", str(model_file), out, "--format", "onnx", "--format", "saved_model"]
    command += ["--version", "7", "--opset", "15"]
    assert main(command) == 0
    assert main(command) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["7"]
    import onnx

    assert onnx.load(out).opset_import[0].version == 15


def test_nothing_is_written_where_one_destination_is_taken(model_file, tmp_path, capsys):
    (tmp_path / "digits.onnx").touch()
    command = ["export", str(model_file), str(tmp_path / "digits")]
    assert main([*command, "--format", "saved_model", "--format", "onnx"]) == 2
    assert "digits.onnx" in capsys.readouterr().err
    assert not (tmp_path / "digits").exists()


def test_onnx_suffix_means_onnx(model_file, tmp_path):
    assert main(["export", str(model_file), str(tmp_path / "digits.onnx")]) == 0
    assert (tmp_path / "digits.onnx").is_file()
    assert not (tmp_path / "digits").exists()


def test_onnx_suffix_counts_in_any_case_and_dots_stay(model_file, tmp_path):
    assert main(["export", str(model_file), str(tmp_path / "v1.2.ONNX")]) == 0
    assert main(["export", str(model_file), str(tmp_path / "v1.2"), "--format", "onnx"]) == 0
    written = sorted(path.name for path in tmp_path.iterdir() if path != model_file)
    assert written == ["v1.2.ONNX", "v1.2.onnx"]


@pytest.mark.parametrize("out", [".", "..", "new/..", ".onnx"])
def test_out_without_a_name_is_refused(out, model_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(model_file), out, "--format", "onnx"]) == 2
    error = capsys.readouterr().err
    assert f"OUT must end in a name, such as models/digits. Received: {str(Path(out))!r}" in error
    assert list(tmp_path.iterdir()) == [model_file]


@pytest.mark.parametrize(
    "wrong",
    [["--opset", "99"], ["--version", "0"], ["--atol", "nan"], ["--samples", "none.npz"]],
    ids=" ".join,
)
def test_bad_values_are_refused_before_anything_is_written(wrong, model_file, tmp_path, capsys):
    command = ["export", str(model_file), str(tmp_path / "new" / "digits")]
    assert main([*command, "--format", "saved_model", "--format", "onnx", *wrong]) == 2
    assert wrong[1] in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "wrong", [["--opset", "17"], ["--format", "onnx", "--version", "1"]], ids=" ".join
)
def test_option_of_another_format_is_refused(wrong, model_file, tmp_path, capsys):
    assert main(["export", str(model_file), str(tmp_path / "new" / "digits"), *wrong]) == 2
    assert "goes with --format" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_samples_and_tolerances_reach_the_verification(model_file, tmp_path, capsys):
    samples = tmp_path / "samples.npz"
    np.savez(samples, image=arrays(bin_model(), 3)[0])
    command = ["export", str(model_file), str(tmp_path / "out"), "--samples", str(samples)]
    assert main([*command, "--atol", "0", "--rtol", "0.01"]) == 0
    assert "allowed: 0 + 0.01 * value" in capsys.readouterr().out
    np.savez(samples, wrong=np.zeros((3, 8, 6, 3)))
    assert main(command) == 2
    assert "`samples` must map" in capsys.readouterr().err


def test_file_that_is_no_model_is_one_line_of_error(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "broken.keras", "w"):
        pass
    assert main(["export", str(tmp_path / "broken.keras"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("keras-bin: error: MODEL must be a .keras file.")
    assert error.endswith("broken.keras', which is an empty zip archive\n")


def test_missing_file_is_one_line_of_error(tmp_path, capsys):
    assert main(["export", str(tmp_path / "none.keras"), str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("keras-bin: error: ")
    assert "none.keras" in printed.err
    assert "Traceback" not in printed.err


def test_lambda_from_a_file_runs_on_request_alone(tmp_path, capsys):
    path, out = tmp_path / "lambda.keras", tmp_path / "out"
    image = keras.Input((4, 4, 1), name="image")
    keras.Sequential([image, keras.layers.Lambda(lambda x: x + 1, name="more")]).save(path)
    assert main(["export", str(path), str(out), "--quiet"]) == 1
    error = capsys.readouterr().err
    assert "allow it with --unsafe" in error
    assert "layer 'more'" in error
    assert not out.exists()
    assert main(["export", str(path), str(out), "--quiet", "--unsafe"]) == 0
    assert out.exists()


@pytest.mark.filterwarnings("default:Model")
def test_half_precision_model_is_announced(tmp_path, capsys):
    keras.config.set_dtype_policy("mixed_float16")
    bin_model().save(tmp_path / "half.keras")
    assert main(["export", str(tmp_path / "half.keras"), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "cast to float32" in printed.out
    assert "warning: Model" in printed.err


def test_json_holds_a_report_for_each_format(model_file, tmp_path, run_json):
    code, found, error = run_json(
        "export", model_file, tmp_path / "out", "--format", "onnx", "--format", "saved_model"
    )
    assert (code, error, list(found)) == (0, "", ["reports"])
    reports = found["reports"]
    assert [report["path"] for report in reports] == [
        str(tmp_path / "out" / "1"),
        str(tmp_path / "out.onnx"),
    ]
    for report in reports:
        assert report["layers_folded"] == 1
        assert report["verification"]["passed"] is True
        assert report["rho"][0]["layer"] == "bin"


def test_json_holds_what_was_written_before_an_error(model_file, tmp_path, run_json, monkeypatch):
    def fail(*_arguments, **_settings):
        raise RuntimeError("no more")

    monkeypatch.setattr("keras_bin_cli.work.export.write_onnx", fail)
    code, found, error = run_json(
        "export", model_file, tmp_path / "out", "--format", "onnx", "--format", "saved_model"
    )
    assert code == 1
    assert error == "keras-bin: error: no more\n"
    assert found["error"] == {"type": "RuntimeError", "message": "no more"}
    assert [report["path"] for report in found["reports"]] == [str(tmp_path / "out" / "1")]


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ([], (0.0, None)),
        (["--rho-tolerance", "0.01"], (0.01, None)),
        (["--atol", "0.5"], (0.0, 0.5)),
    ],
    ids=["none", "rho tolerance", "atol"],
)
def test_options_reach_the_exporter(given, received, model_file, monkeypatch, capsys):
    def write(prepared, _base, _version, *, overwrite, atol, rtol, file):
        assert (prepared.exported.rho_tolerance, atol) == received
        assert (overwrite, rtol, file["file"]) == (False, None, model_file.name)
        raise RuntimeError("enough")

    monkeypatch.setattr("keras_bin_cli.work.export.write_saved_model", write)
    assert main(["export", str(model_file), "out", "--quiet", *given]) == 1
    assert capsys.readouterr().err == "keras-bin: error: enough\n"


@pytest.mark.parametrize("runtime", [None, "openvino"])
def test_runtime_goes_into_both_formats(runtime, model_file, tmp_path):
    out = tmp_path / "digits"
    formats = ["--format", "saved_model", "--format", "onnx"]
    chosen = [] if runtime is None else ["--runtime", runtime]
    assert main(["export", str(model_file), str(out), *formats, *chosen]) == 0
    manifest = json.loads((out / "1" / "keras_bin.json").read_text())
    metadata = {each.key: each.value for each in onnx.load(f"{out}.onnx").metadata_props}
    assert manifest["runtime"] == metadata["runtime"] == (runtime or "any")


def test_unknown_runtime_is_answered_with_those_there_are(model_file, tmp_path, capsys):
    assert main(["export", str(model_file), str(tmp_path / "out"), "--runtime", "openvinno"]) == 2
    assert "openvino" in capsys.readouterr().err
