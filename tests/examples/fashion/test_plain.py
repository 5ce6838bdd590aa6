"""Garments as they are: the claim, and what the program leaves behind."""

import pytest

from fashion import plain
from tests.examples.fashion.records import made_run
from tests.examples.programs import check_picture, make_fashion, read_results, run_program


def runs(**means):
    return [
        made_run(norm, seed, {"plain": value + spread})
        for seed, spread in enumerate((-1, 1))
        for norm, value in means.items()
    ]


@pytest.mark.parametrize(
    ("bin_", "holds"), [(91.0, True), (90.4, True), (90.3, False)], ids=["ahead", "level", "behind"]
)
def test_bin_must_not_be_behind_by_more_than_a_tenth(bin_, holds):
    (claim,) = plain.claims(runs(BN=90.5, BIN=bin_))
    assert claim.holds is holds


def test_nothing_is_claimed_without_both():
    assert plain.claims(runs(BN=90)) == plain.claims(runs(BIN=90)) == []


@pytest.mark.slow
def test_net_of_the_options_is_trained_drawn_and_reported(tmp_path, monkeypatch):
    """The training is that of mixed styles, and is made up here."""
    seen = []

    def train(task, norm, seed, recipe, *_):
        seen.append((norm, recipe.net))
        return made_run(norm, seed, {"plain": 75.0})

    monkeypatch.setattr("fashion.experiment.train", train)
    arguments = ["--data", "fashion", "--quick", "--seeds", 1, "--norm", "bn", "bin"]
    arguments += ["--net", "resnet-14", "--folder", make_fashion(tmp_path / "data")]
    printed = run_program("classification.py", *arguments, "--output", tmp_path)
    assert seen == [("BN", "resnet-14"), ("BIN", "resnet-14")]
    assert read_results(tmp_path)["settings"]["net"] == "resnet-14"
    assert "75.0" in printed
    for name in ("learning", "rho"):
        check_picture(tmp_path / f"{name}.png")
