"""What experiments leave behind: tables, files, and the verdict."""

import json

import pytest

from common.options import add_quick, option_parser, read_options
from common.report import (
    Claim,
    Origin,
    Report,
    joined,
    lead_tables,
    mean_and_deviation,
    norm_table,
    publish,
    score_table,
)


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
        f"`{options.command}`, seeds: 0, 1, 2; {results['date']}",
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


def test_origin_of_runs_that_were_made_before_is_what_the_files_say(tmp_path):
    origin = Origin(3600, "2026-11-01 to 2026-11-03", {"keras": "3.14.0 and 3.15.1"})
    publish(report()._replace(origin=origin), read("--output", tmp_path))
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["seconds"], results["versions"]) == (3600, origin.versions)
    expected = "2026-11-01 to 2026-11-03, 3600 s; keras 3.14.0 and 3.15.1."
    assert expected in (tmp_path / "results.md").read_text()


def test_origins_are_joined():
    one = Origin(10, "2026-11-02", {"keras": "3.14.0", "numpy": "2.4.6"})
    other = Origin(5, "2026-10-01 to 2026-11-01", {"keras": "3.15.1", "numpy": "2.4.6"})
    assert joined([one, other]) == Origin(
        15, "2026-10-01 to 2026-11-02", {"keras": "3.14.0 and 3.15.1", "numpy": "2.4.6"}
    )
    assert joined([one, one]) == one._replace(seconds=20)
    assert joined([joined([one, other]), other]) == joined([one, other])._replace(seconds=20)
    jax = joined([one, one._replace(versions={**one.versions, "jax": "0.7"})]).versions["jax"]
    assert jax == "none and 0.7"


def test_every_run_has_a_line(tmp_path):
    runs = [{"seed": seed, "values": [1, [2, 3]]} for seed in (0, 1)]
    publish(report()._replace(runs=runs), read("--output", tmp_path))
    text = (tmp_path / "results.json").read_text()
    assert json.loads(text)["runs"] == runs
    assert '    {"seed": 0, "values": [1, [2, 3]]},\n' in text


def test_leads_are_paired_by_seed():
    scores = {"BN": [80.0, 82.0], "IN first": [81.0, 84.0], "BIN": [83.0, 84.0]}
    (table,) = lead_tables("Leads", scores)
    assert [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)] == [
        ["BN", "", "+2.50 ± 0.71"],
        ["IN first", "+1.50 ± 0.71", "+1.00 ± 1.41"],
        ["BIN", "+2.50 ± 0.71", ""],
    ]
    assert lead_tables("Leads", {"BN": [80.0], "IN": [81.0]}) == []


def test_fewer_seeds_than_are_judged_are_only_reported(tmp_path, capsys):
    claim = Claim("it is so", False)
    publish(report(claim), read("--output", tmp_path, "--seeds", 2))
    assert "compare with 3 seeds or more" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="Not every claim holds"):
        publish(report(claim)._replace(judged_seeds=2), read("--output", tmp_path, "--seeds", 2))


def test_many_norms_have_a_line_each():
    rows = {"clean": {"BN": [80.0, 82.0], "BIN": [83.0]}, "mean": {"BN": [81.0], "BIN": [84.0]}}
    table = norm_table("Accuracy", rows)
    assert [column.header for column in table.columns] == ["norm", "clean", "mean"]
    assert [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)] == [
        ["BN", "81.0 ± 1.4", "81.0"],
        ["BIN", "83.0", "84.0"],
    ]
