"""The choice of a learning rate: what is kept back, the claim, and what the program leaves."""

import numpy as np
import pytest

import fashion_rates
from common.scans import Scans
from fashion.training import RECIPE
from fashion_rates import TRIED, keep_back, name
from tests.examples.fashion.records import made_run
from tests.examples.programs import check_picture, make_fashion, read_results, run_program


def test_last_training_scans_are_kept_back_and_test_scans_unseen():
    scans = Scans(np.arange(10), np.arange(100, 105), np.arange(10) + 20, np.arange(5))
    kept = keep_back(scans, 6, 3)
    np.testing.assert_array_equal(kept.train_scans, np.arange(6))
    np.testing.assert_array_equal(kept.test_scans, [7, 8, 9])
    np.testing.assert_array_equal(kept.train_labels, np.arange(20, 26))
    np.testing.assert_array_equal(kept.test_labels, [27, 28, 29])


def test_recipe_of_the_experiments_is_among_those_tried():
    assert (RECIPE.schedule, RECIPE.learning_rate) in TRIED


@pytest.mark.parametrize(
    ("values", "holds"),
    [({"a": 80, "b": 81}, [True]), ({"a": 82, "b": 81}, [False]), ({"a": 82}, [])],
)
def test_choice_must_be_the_best_of_bn(values, holds):
    rows = {recipe: {"BN": [value], "BIN": [99]} for recipe, value in values.items()}
    assert [claim.holds for claim in fashion_rates.claims(rows, "b")] == holds
    assert fashion_rates.claims({"b": {"BIN": [99]}}, "b") == []


@pytest.mark.slow
def test_every_rate_is_tried_and_reported(tmp_path, monkeypatch):
    """The training is that of mixed styles, and is made up here."""
    seen = []

    def train(task, norm, seed, recipe, *_):
        seen.append((name(recipe), norm, seed))
        return made_run(norm, seed, {"one": 70 + 100 * recipe.learning_rate, "other": 80})

    monkeypatch.setattr("fashion.experiment.train", train)
    folder = make_fashion(tmp_path / "data", train=256)
    printed = run_program(
        "fashion_rates.py", "--quick", "--folder", folder, "--output", tmp_path / "out"
    )
    assert seen == [
        (rate, norm, seed)
        for rate in ("cosine 0.03", "cosine 0.1")
        for seed in (100, 101)
        for norm in ("BN", "BIN")
    ]
    results = read_results(tmp_path / "out")
    assert {run["recipe"]: run["accuracy"]["one"] for run in results["runs"]} == {
        "cosine 0.03": 73,
        "cosine 0.1": 80,
    }
    assert "Holds: of what was tried, BN is most accurate with cosine 0.1" in printed
    assert results["caption"].endswith(
        "BN is most accurate with cosine 0.1: 80.00 %. "
        "BIN is most accurate with cosine 0.1: 80.00 %."
    )
    assert results["settings"]["tested_on"] == "training pictures kept back"
    assert "learning_rate" not in results["settings"]
    assert results["settings"]["deterministic"] is False
    check_picture(tmp_path / "out" / "fashion_rates.png")


def test_too_few_pictures_are_told(tmp_path, capsys):
    folder = make_fashion(tmp_path / "data", train=30)
    with pytest.raises(SystemExit, match="2"):
        fashion_rates.main(["--folder", str(folder), "--output", str(tmp_path / "out")])
    assert "must hold 5001 training pictures or more. Received: 30" in capsys.readouterr().err


def test_folders_are_checked_before_any_net_is_trained(tmp_path, monkeypatch, capsys):
    trained = []

    def train(task, norm, seed, *_):
        trained.append(norm)
        return made_run(norm, seed, {"one": 80})

    monkeypatch.setattr("fashion.experiment.train", train)
    folder = make_fashion(tmp_path / "data", train=256)
    arguments = ["--quick", "--norm", "bn", "--folder", folder, "--output", tmp_path / "out"]
    fashion_rates.main(list(map(str, arguments)))
    monkeypatch.setattr("fashion_rates.TRIED", (("cosine", 0.3), *TRIED))
    with pytest.raises(SystemExit, match="2"):
        fashion_rates.main([*map(str, arguments), "--pictures", "9"])
    assert "pictures 128 (now 9)" in capsys.readouterr().err
    assert len(trained) == 4


def test_seeds_of_the_experiments_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        fashion_rates.main(["--seeds", "0-2", "--output", str(tmp_path)])
    assert "must be from 100 on, as in 100-101" in " ".join(capsys.readouterr().err.split())
