"""Garments at any contrast: the claims, and what the program leaves behind."""

import pytest

from common.norms import FIXED_NORMS
from fashion import contrast
from tests.examples.fashion.records import made_run
from tests.examples.programs import check_picture, make_fashion, read_results, run_program

LEVEL = {"BN": (85, 90), "IN": (88, 60), "BIN": (88, 90), "IN first": (87.5, 80)}


def runs(scores):
    """Two runs of each normalization around a mean for the garment, and one for the contrast."""
    return [
        {**made_run(norm, seed, {}, task), "accuracy": value + spread}
        for norm, values in scores.items()
        for task, value in zip(("garment", "contrast"), values, strict=True)
        for seed, spread in enumerate((-1, 1))
    ]


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, [True, True, True]),
        ({"BIN": (87.7, 89.7)}, [True, True, True]),
        ({"BIN": (87.6, 90)}, [False, True, True]),
        ({"BIN": (88, 89.6)}, [True, False, True]),
        ({"IN first": (87.7, 89.7)}, [True, True, False]),
        ({"IN first": (87.69, 89.7)}, [True, True, True]),
        ({"BIN first": (88, 90)}, [True, True, True]),
    ],
    ids=[
        "as it should be",
        "just near enough",
        "behind on the garment",
        "behind on the contrast",
        "a placement is as good on both",
        "a placement loses one",
        "a gate that learns is no fixed placement",
    ],
)
def test_bin_is_near_the_better_and_no_fixed_mixture_is(changed, holds):
    assert [claim.holds for claim in contrast.claims(runs({**LEVEL, **changed}))] == holds


@pytest.mark.parametrize("missing", ["BN", "IN", "BIN"])
def test_nothing_is_claimed_without_bn_in_and_bin(missing):
    scores = {norm: values for norm, values in LEVEL.items() if norm != missing}
    assert contrast.claims(runs(scores)) == []


def test_losses_of_fixed_mixtures_are_listed():
    sentence = contrast.claims(runs(LEVEL))[-1].sentence
    assert sentence.endswith("(BN 3.00, IN 30.00, IN first 10.00)")
    assert FIXED_NORMS == ["BN", "IN", "BN+IN", "IN first", "IBN-Net"]


@pytest.mark.slow
def test_both_tasks_are_run_drawn_and_reported(tmp_path, monkeypatch):
    """The training is that of mixed styles, and is made up here."""
    seen = []

    def train(task, norm, seed, *_):
        ((name, test),) = task.tests.items()
        seen.append((name, norm, task.classes, len(test.labels)))
        return made_run(norm, seed, {name: 75.0}, name)

    monkeypatch.setattr("fashion.experiment.train", train)
    folder = make_fashion(tmp_path / "data")
    arguments = ["--data", "fashion", "--quick", "--seeds", 1, "--norm", "bn", "in", "bin"]
    printed = run_program("adaptivity.py", *arguments, "--folder", folder, "--output", tmp_path)
    assert seen == [
        (task, norm, classes, 16)
        for task, classes in (("garment", 10), ("contrast", 4))
        for norm in ("BN", "IN", "BIN")
    ]
    assert [run["accuracy"] for run in read_results(tmp_path)["runs"]] == [75.0] * 6
    for expected in ("garment", "contrast", "average", "75.0"):
        assert expected in printed
    for name in ("adaptivity", "learning_garment", "learning_contrast", "rho"):
        check_picture(tmp_path / f"{name}.png")
