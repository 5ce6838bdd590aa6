"""The command `keras-bin verify`: what it prints, and its exit code."""

import numpy as np
import pytest

from keras_bin.export import export_onnx, export_saved_model
from keras_bin_cli.program import main
from tests.export.kinds import IMAGE, bin_model
from tests.export.values import arrays

STAGES = ["load", "load", "sample", "verify"]


@pytest.fixture(params=["saved_model", "onnx"])
def artifact(request, tmp_path):
    if request.param == "onnx":
        return export_onnx(bin_model(), tmp_path / "model.onnx").path
    return export_saved_model(bin_model(), tmp_path / "model").path


@pytest.fixture
def other_file(tmp_path):
    """A model whose first channel is off by 0.125."""
    model = bin_model()
    beta = model.get_layer("bin").beta
    beta.assign(np.array(beta) + np.array([0.125, 0, 0], "float32"))
    model.save(tmp_path / "other.keras")
    return tmp_path / "other.keras"


def test_right_artifact_is_a_table_and_code_0(artifact, model_file, capsys):
    assert main(["verify", str(artifact), str(model_file)]) == 0
    printed = capsys.readouterr()
    assert "allowed: 0.0001 + 0.0001 * value" in printed.out
    assert printed.out.count(" right ") == 3
    assert [line.split(": ")[1] for line in printed.err.splitlines()] == STAGES


def test_wrong_artifact_is_a_table_an_error_and_code_1(artifact, other_file, capsys):
    assert main(["verify", str(artifact), str(other_file)]) == 1
    printed = capsys.readouterr()
    assert printed.out.count(" wrong ") == 3
    assert "0.12" in printed.out
    *_stages, error = printed.err.splitlines()
    assert error.startswith("keras-bin: error: The artifact's outputs must be finite")
    assert error.endswith("are in the table")


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_json_holds_the_verification_in_either_case(
    right, artifact, model_file, other_file, run_json
):
    code, found, _ = run_json("verify", artifact, model_file if right else other_file)
    assert (code, found["passed"]) == ((0, True) if right else (1, False))
    assert [check["shape"] for check in found["outputs"]] == [[n, *IMAGE] for n in (1, 3, 16)]
    assert found.get("error", {}).get("type") == (None if right else "ValuesError")


def test_artifact_of_another_shape_is_one_line(artifact, tmp_path, capsys):
    bin_model(shape=(4, 4, 3)).save(tmp_path / "small.keras")
    assert main(["verify", str(artifact), str(tmp_path / "small.keras"), "--quiet"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "Differences: input 'image': expected (None, 4, 4, 3)" in printed.err


def test_tolerances_reach_the_verification(artifact, other_file, run_json):
    code, found, _ = run_json("verify", artifact, other_file, "--atol", "0.2", "--rtol", "0")
    assert code == 0
    assert (found["atol"], found["rtol"]) == (0.2, 0.0)
    # float32 rounding of values up to 10.
    assert found["max_abs"] == pytest.approx(0.125, abs=2e-5)


def test_samples_reach_the_verification(artifact, model_file, tmp_path, run_json):
    np.savez(tmp_path / "samples.npz", image=arrays(bin_model(), 5)[0])
    code, found, _ = run_json("verify", artifact, model_file, "--samples", tmp_path / "samples.npz")
    assert code == 0
    assert [check["batch"] for check in found["outputs"]] == [1, 3, 5]
    np.savez(tmp_path / "samples.npz", wrong=np.zeros((3, *IMAGE)))
    code, found, error = run_json(
        "verify", artifact, model_file, "--samples", tmp_path / "samples.npz"
    )
    assert code == 2
    assert "`samples` must map" in error


def test_samples_that_are_no_file_of_arrays_are_refused(artifact, model_file, tmp_path, capsys):
    (tmp_path / "samples.npz").write_text("no arrays")
    command = ["verify", str(artifact), str(model_file)]
    assert main([*command, "--samples", str(tmp_path / "samples.npz")]) == 2
    assert "--samples must be an .npz file" in capsys.readouterr().err
