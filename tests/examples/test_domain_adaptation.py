"""Two domains, one labelled: the batches, the nets, the claim, and what quick runs leave behind."""

import itertools

import numpy as np
import pytest

import domain_adaptation
from common import adaptation
from common.domains import Domains, Task
from common.run_files import make_runs
from common.styles import STYLES
from common.training import PARTS
from domain_adaptation import accuracies
from tests.examples.programs import (
    check_picture,
    make_fashion,
    make_office_home,
    read_results,
    run_program,
)


def test_every_run_is_labelled_with_what_was_trained_and_tested(monkeypatch):
    """Accuracies are 1 for target pictures and 2 for source pictures, 10 more with reversal."""
    tested = {name: np.full(1, number) for number, name in enumerate(("target", "source"), 1)}

    def task(source, target, seed):
        return Task(
            *[None] * 3,
            target_test=tested["target"],
            target_test_labels=tested["target"],
            source_test=tested["source"],
            source_test_labels=tested["source"],
        )

    def accuracy(reader, pictures, labels):
        assert pictures is labels
        return reader + pictures[0]

    monkeypatch.setattr(domain_adaptation, "adapt", lambda *arguments: 10 * arguments[5])
    monkeypatch.setattr(domain_adaptation, "accuracy", accuracy)
    domains = Domains(("one", "two"), task, classes=5, depth=8, steps=PARTS, caption="")
    made = make_runs(domain_adaptation.plan_runs([0], domains, [("one", "two")]), PARTS)
    assert [(run["norm"], run["reversal"], run["on_target"], run["on_source"]) for run in made] == [
        ("BN", True, 11, 12),
        ("BIN", True, 11, 12),
        ("BN", False, 1, 2),
        ("BIN", False, 1, 2),
    ]


def runs(leads):
    """Two seeds of BN at 50 and 51 %, and of BIN ahead by some points for each pair.

    On the source, all read 90 %. Without reversal, all read 10 % less than BN with it on both.
    """
    pairs = list(zip(itertools.permutations(list(STYLES)[:3], 2), leads, strict=True))
    return [
        {
            "source": source,
            "target": target,
            "reversal": reversal,
            "norm": norm,
            "seed": seed,
            "on_target": (50.0 + (lead if norm == "BIN" else 0) if reversal else 40.0) + seed,
            "on_source": 90.0 if reversal else 80.0,
        }
        for reversal in (True, False)
        for seed in (0, 1)
        for (source, target), lead in pairs
        for norm in ("BN", "BIN")
    ]


@pytest.mark.parametrize(
    ("leads", "holds"),
    [((-5, 1, 1, 1, 1, 2), True), ((0,) * 6, True), ((-5, 1, 1, 1, 1, 0), False)],
    ids=["ahead", "level", "behind"],
)
def test_bin_must_not_be_behind_on_the_average(leads, holds):
    (claim,) = domain_adaptation.claims(runs(leads))
    assert claim.holds is holds


def test_mean_is_taken_over_pairs_seed_by_seed():
    rows = accuracies(runs((6, 0, 0, 0, 0, 0)))
    assert rows["clean to inverted"] == {"BN": [50, 51], "BIN": [56, 57]}
    assert rows["mean"] == {"BN": [50, 51], "BIN": [51, 52]}


def test_source_and_runs_without_reversal_have_tables_of_their_own():
    made = runs((0,) * 6)
    assert accuracies(made, reversal=False)["mean"] == {"BN": [40, 41], "BIN": [40, 41]}
    assert accuracies(made, "on_source")["mean"] == {"BN": [90, 90], "BIN": [90, 90]}
    tables = domain_adaptation.tabulate(made)
    means = {table.title: list(table.columns[1].cells)[-1] for table in tables}
    assert means == {
        "Accuracy on the target, with gradient reversal, %": "50.5 ± 0.7",
        "Accuracy on the source, with gradient reversal, %": "90.0 ± 0.0",
        "Accuracy on the target, without gradient reversal, %": "40.5 ± 0.7",
        "Accuracy on the source, without gradient reversal, %": "80.0 ± 0.0",
    }


def test_leads_and_means_are_drawn():
    figure = domain_adaptation.plot(runs((1, 2, 3, 4, 5, 6)), tuple(STYLES)[:3])
    pairs, means, _ = figure.axes
    leads = np.ma.filled(pairs.images[0].get_array(), np.nan)
    np.testing.assert_allclose(leads, [[np.nan, 1, 2], [3, np.nan, 4], [5, 6, np.nan]])
    assert (pairs.get_ylabel(), pairs.get_xlabel()) == ("source", "target")
    bn, bin_ = [50.5, 40.5, 90, 80], [54, 40.5, 90, 80]
    assert [bar.get_height() for bar in means.patches] == [*bn, *bin_]
    assert [label.get_text() for label in means.get_xticklabels()] == [
        "target",
        "target,\nno reversal",
        "source",
        "source,\nno reversal",
    ]


def test_bad_office_home_folder_is_refused_before_training(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        domain_adaptation.main(["--office-home", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "argument --office-home: An Office-Home folder must" in capsys.readouterr().err


def first_result(function):
    """Returns a function that calls another once, and returns the result of that each time."""
    results = []

    def call(*arguments):
        if not results:
            results.append(function(*arguments))
        return results[0]

    return call


@pytest.fixture(scope="module", params=["digits", "fashion", "office-home"])
def finished(request, tmp_path_factory):
    """The domains, the output folder of a quick run, and what it printed.

    For the others than digits, to save time, one training stands for all: those that are not done
    differ from it as those on digits do. Pictures of Office-Home are smaller.
    """
    output = tmp_path_factory.mktemp("domain_adaptation")
    arguments = ["--quick", "--seeds", 1, "--output", output]
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "office-home":
            arguments += ["--office-home", make_office_home(output / "data")]
            patch.setattr("common.domains.PICTURE_SIZE", 16)
        if request.param == "fashion":
            folder = make_fashion(output / "data", train=100)
            arguments += ["--data", "fashion", "--folder", folder]
            patch.setattr("common.adaptation.HALF_BATCH", 8)
        if request.param != "digits":
            patch.setattr("common.adaptation.adapt", first_result(adaptation.adapt))
        return request.param, output, run_program("domain_adaptation.py", *arguments)


@pytest.mark.slow
def test_results_table_and_picture_are_written(finished):
    domains, output, printed = finished
    results = read_results(output)
    assert [(run["norm"], run["reversal"]) for run in results["runs"]] == [
        (norm, reversal) for reversal in (True, False) for norm in ("BN", "BIN")
    ]
    first = "Art to Clipart" if domains == "office-home" else "clean to inverted"
    for text in (printed, (output / "results.md").read_text()):
        for expected in (first, "mean", "BIN - BN", "without gradient reversal"):
            assert expected in " ".join(text.split())
    check_picture(output / "domain_adaptation.png")


@pytest.mark.slow
def test_runs_on_garments_have_files_and_others_have_none(finished):
    domains, output, _ = finished
    names = sorted(path.name for path in output.glob("runs_quick/*"))
    expected = [
        f"seed-0-clean-to-inverted-{how}-{norm}.json"
        for how in ("no-reversal", "reversal")
        for norm in ("bin", "bn")
    ]
    assert names == (expected if domains == "fashion" else [])
    assert read_results(output)["settings"]["deterministic"] is False


def test_office_home_takes_the_place_of_other_data(tmp_path, capsys):
    arguments = ["--office-home", str(tmp_path), "--data", "fashion", "--output", str(tmp_path)]
    with pytest.raises(SystemExit, match="2"):
        domain_adaptation.main(arguments)
    assert "takes the place of `--data`. Received: --data fashion" in capsys.readouterr().err
