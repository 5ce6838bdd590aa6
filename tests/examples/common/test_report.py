"""What experiments leave behind: tables, files, and the verdict."""

import json

import pytest

from common.options import add_quick, option_parser, read_options
from common.report import Claim, Report, mean_and_deviation, publish, score_table


def read(*arguments):
    """The options of an experiment."""
    parser = option_parser("program.py", "What it does.", seeds=5, folder="output/program")
    add_quick(parser, "1 epoch")
    return read_options(parser, list(map(str, arguments)))


def report(*claims):
    scores = {"BN": [90.0, 92.0, 94.0], "BIN": [95.0, 95.0, 95.0]}
    return Report(
        caption="Three runs.",
        settings={"epochs": 2},
        runs=[{"norm": "BN", "seed": 0, "accuracy": 90.0}],
        tables=[score_table("Accuracy, %", "task", {"digit": scores})],
        claims=claims,
    )


def test_deviation_is_that_of_a_sample():
    assert mean_and_deviation([1.0, 2.0, 3.0]) == "2.0 ± 1.0"
    assert mean_and_deviation([2.0], sign="+") == "+2.0"
    assert mean_and_deviation([-2.0]) == "-2.0"


def test_table_sets_bin_beside_bn(tmp_path):
    table = score_table("Accuracy, %", "task", {"digit": {"BN": [1.0, 3.0], "BIN": [4.0, 5.0]}})
    assert [column.header for column in table.columns] == ["task", "BN", "BIN", "BIN - BN"]
    assert [cell for column in table.columns for cell in column.cells] == [
        "digit",
        "2.0 ± 1.4",
        "4.5 ± 0.7",
        "+2.5 ± 0.7",
    ]


def test_table_of_other_norms_has_no_difference():
    table = score_table("Accuracy, %", "task", {"digit": {"BN": [1.0], "IN": [2.0]}})
    assert [column.header for column in table.columns] == ["task", "BN", "IN"]


def test_results_are_written_for_people_and_programs(tmp_path, capsys):
    options = read("--seeds", "3", "--output", tmp_path)
    publish(report(Claim("BIN is ahead", True)), options)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["command"] == options.command
    assert results["seeds"] == [0, 1, 2]
    assert results["claims"] == [{"sentence": "BIN is ahead", "holds": True}]
    assert results["runs"] == [{"norm": "BN", "seed": 0, "accuracy": 90.0}]
    assert results["settings"] == {"epochs": 2}
    text = (tmp_path / "results.md").read_text()
    for expected in (
        "Three runs.\n",
        f"`{options.command}`, seeds: 3, {results['date']}",
        f"tensorflow {results['versions']['tensorflow']}",
        "Accuracy, %:\n\n| task ",
        "\n| digit | 92.0 ± 2.0 | 95.0 ± 0.0 | +3.0 ± 2.0 |\n",
        "- Holds: BIN is ahead\n",
    ):
        assert expected in text
    printed = capsys.readouterr().out
    assert "92.0 ± 2.0" in printed
    assert "results.json, results.md" in printed
    assert "Holds: BIN is ahead" in printed


def test_claim_that_fails_ends_with_exit_code_1_after_the_results_are_written(tmp_path, capsys):
    options = read("--seeds", "3", "--output", tmp_path)
    with pytest.raises(SystemExit, match="Not every claim holds"):
        publish(report(Claim("BIN is ahead", True), Claim("rho falls", False)), options)
    assert "Does not hold: rho falls" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["claims"][1]["holds"] is False


@pytest.mark.parametrize("arguments", [["--seeds", "2"], ["--quick"]])
def test_small_runs_are_not_judged(tmp_path, capsys, arguments):
    options = read(*arguments, "--output", tmp_path)
    publish(report(Claim("rho falls", False)), options)
    assert "Too small a run to judge" in capsys.readouterr().out
