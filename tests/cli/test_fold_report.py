"""The command `keras-bin fold-report`: what it says of a model, and that it writes nothing."""

import json

import pytest

from keras_bin.export import fold_report
from keras_bin_cli.program import main
from tests.export.kinds import bin_model, classifier


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "net.keras"
    classifier().save(path)
    return path


def test_table_says_what_became_of_each_layer(saved, capsys):
    assert main(["fold-report", str(saved)]) == 0
    printed = capsys.readouterr()
    first, *table = printed.out.splitlines()
    assert first == f"{saved}: BIN layers folded: 2"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if "│" in line]
    assert cells == [
        ["bin1", "BatchInstanceNormalization", "4", "absorbed into conv1", ""],
        ["bin2", "BatchInstanceNormalization", "5", "absorbed into conv2", ""],
    ]
    assert [path.name for path in saved.parent.iterdir()] == ["net.keras"]


def test_reason_is_said_of_a_layer_that_stays(tmp_path, capsys):
    bin_model(1.0).save(tmp_path / "first.keras")
    assert main(["fold-report", str(tmp_path / "first.keras")]) == 0
    (layer,) = fold_report(bin_model(1.0))
    assert layer.reason in capsys.readouterr().out


@pytest.mark.parametrize("tolerance", [0.0, 0.45])
def test_json_is_the_report(tolerance, model_file, run_json):
    code, found, error = run_json("fold-report", model_file, "--rho-tolerance", tolerance)
    assert (code, error) == (0, "")
    layers = [layer._asdict() for layer in fold_report(bin_model(), tolerance)]
    assert found == {"model": str(model_file), "layers": json.loads(json.dumps(layers))}


def test_tolerance_out_of_range_is_refused(model_file, capsys):
    assert main(["fold-report", str(model_file), "--rho-tolerance", "0.5"]) == 2
    assert "it must be a number from 0 to below 0.5. Received: 0.5" in capsys.readouterr().err
