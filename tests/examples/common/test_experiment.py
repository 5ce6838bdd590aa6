"""What experiments share: the command line, the progress, the tables and the verdict."""

import json
import sys
from argparse import ArgumentTypeError

import matplotlib.figure
import pytest

from common.experiment import (
    Claim,
    Report,
    add_quick,
    mean_and_deviation,
    option_parser,
    plot_grouped_scores,
    plot_scores,
    positive,
    publish,
    read_options,
    run_bars,
    score_table,
)


def parser():
    made = option_parser("program.py", "What it does.", seeds=5, folder="output/program")
    add_quick(made, "1 epoch")
    return made


def report(*claims):
    scores = {"BN": [90.0, 92.0, 94.0], "BIN": [95.0, 95.0, 95.0]}
    return Report(
        caption="Three runs.",
        settings={"epochs": 2},
        runs=[{"norm": "BN", "seed": 0, "accuracy": 90.0}],
        tables=[score_table("Accuracy, %", "task", {"digit": scores})],
        claims=claims,
    )


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_counts_are_positive_integers(text):
    with pytest.raises(ArgumentTypeError, match=f"must be an integer above 0. Received: '{text}'"):
        positive(text)


def test_help_shows_defaults_an_example_and_what_quick_means(capsys):
    with pytest.raises(SystemExit, match="0"):
        read_options(parser(), ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for expected in (
        "seeds 0 to N-1 (default: 5)",
        "(default: examples/output/program)",
        "example: python examples/program.py --seeds",
        "1 epoch; its claims are not judged",
    ):
        assert expected in text


def test_options_remember_the_command(tmp_path, monkeypatch):
    arguments = ["--seeds", "2", "--output", str(tmp_path / "my results")]
    expected = f"python examples/program.py --seeds 2 --output '{tmp_path / 'my results'}'"
    assert read_options(parser(), arguments).command == expected
    monkeypatch.setattr(sys, "argv", ["examples/program.py", *arguments])
    assert read_options(parser(), None).command == expected


def test_run_leaves_its_name_result_and_seconds(capsys):
    with run_bars(1) as bars, bars.run("seed 0  BIN", steps=2) as bar:
        bar.epoch_callback().on_epoch_end(0, {"loss": 0.5})
        bar.result = "98.7 %"
    assert 0 <= bar.seconds < 5
    assert f"seed 0  BIN  98.7 %, {bar.seconds} s" in capsys.readouterr().out


def test_deviation_is_that_of_a_sample():
    assert mean_and_deviation([1.0, 2.0, 3.0]) == "2.0 ± 1.0"
    assert mean_and_deviation([2.0], digits=2) == "2.00"


def test_table_sets_bin_beside_bn(tmp_path):
    table = score_table("Accuracy, %", "task", {"digit": {"BN": [1.0, 3.0], "BIN": [4.0, 5.0]}})
    assert [column.header for column in table.columns] == ["task", "BN", "BIN", "BIN - BN"]
    assert [cell for column in table.columns for cell in column.cells] == [
        "digit",
        "2.0 ± 1.4",
        "4.5 ± 0.7",
        "+2.5",
    ]


def test_table_of_other_norms_has_no_difference():
    table = score_table("Accuracy, %", "task", {"digit": {"BN": [1.0], "IN": [2.0]}})
    assert [column.header for column in table.columns] == ["task", "BN", "IN"]


def test_bars_end_at_the_means():
    axes = matplotlib.figure.Figure().subplots()
    plot_scores(axes, {"BN": [80.0, 90.0], "BIN": [95.0, 97.0]})
    assert [bar.get_height() for bar in axes.patches] == [85.0, 96.0]
    assert axes.get_ylim() == (80.0, 100.0)


def test_grouped_bars_end_at_the_means():
    axes = matplotlib.figure.Figure().subplots()
    plot_grouped_scores(
        axes,
        {
            "clean": {"BN": [80.0, 90.0], "BIN": [95.0, 97.0]},
            "inverted": {"BN": [70.0, 71.0], "BIN": [60.0, 62.0]},
        },
    )
    assert [bar.get_height() for bar in axes.patches] == [85.0, 70.5, 96.0, 61.0]
    centres = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert centres == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["clean", "inverted"]
    assert axes.get_ylim() == (56.0, 100.0)


def test_results_are_written_for_people_and_programs(tmp_path, capsys):
    options = read_options(parser(), ["--seeds", "3", "--output", str(tmp_path)])
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
        "\n| digit | 92.0 ± 2.0 | 95.0 ± 0.0 |     +3.0 |\n",
        "- Holds: BIN is ahead\n",
    ):
        assert expected in text
    printed = capsys.readouterr().out
    assert "92.0 ± 2.0" in printed
    assert "results.json, results.md" in printed
    assert "Holds: BIN is ahead" in printed


def test_claim_that_fails_ends_with_exit_code_1_after_the_results_are_written(tmp_path, capsys):
    options = read_options(parser(), ["--seeds", "3", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="Not every claim holds"):
        publish(report(Claim("BIN is ahead", True), Claim("rho falls", False)), options)
    assert "Does not hold: rho falls" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["claims"][1]["holds"] is False


@pytest.mark.parametrize("arguments", [["--seeds", "2"], ["--quick"]])
def test_small_runs_are_not_judged(tmp_path, capsys, arguments):
    options = read_options(parser(), [*arguments, "--output", str(tmp_path)])
    publish(report(Claim("rho falls", False)), options)
    assert "Too small a run to judge" in capsys.readouterr().out
