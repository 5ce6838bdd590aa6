"""Few digits to learn from: the subsets, the claims, and what a quick run leaves behind."""

import numpy as np
import pytest

import character_recognition
from character_recognition import accuracies, draw_subset, tabulate
from common.digit_styles import load_split
from tests.examples.programs import check_picture, read_results, run_program

SIZES = (50, 300)
DEPTHS = (8, 20)


def runs(lead):
    """Runs in which BIN leads by `lead[size]` on the average of two depths and two seeds."""
    return [
        {
            "norm": norm,
            "depth": depth,
            "size": size,
            "seed": seed,
            "learnt": 90 + seed,
            "accuracy": 60
            + depth * (-1) ** seed
            + (lead[size] * depth / 14 if norm == "BIN" else 0),
        }
        for seed in (0, 1)
        for depth in DEPTHS
        for size in SIZES
        for norm in ("BN", "BIN")
    ]


@pytest.mark.parametrize(
    ("lead", "holds"),
    [
        ({50: 1, 300: 1}, [True, True]),
        ({50: 0, 300: 1}, [False, True]),
        ({50: 1, 300: -1}, [True, False]),
    ],
)
def test_bin_must_be_ahead_with_each_number_of_digits(lead, holds):
    claims = character_recognition.claims(runs(lead))
    assert [claim.holds for claim in claims] == holds
    assert [claim.sentence.split()[1] for claim in claims] == ["50", "300"]


def test_accuracies_average_over_what_is_not_chosen():
    made = runs({50: 14, 300: 0})
    assert accuracies(made, size=50, depth=8) == {"BN": [68, 52], "BIN": [76, 60]}
    assert accuracies(made, size=50) == {"BN": [74, 46], "BIN": [88, 60]}


def test_digits_learnt_have_a_table_of_their_own():
    rows = tabulate(runs({50: 14, 300: 0}), "learnt")
    assert rows["50, mean"] == rows["300, ResNet-8"] == {"BN": [90, 91], "BIN": [90, 91]}


def test_table_lists_depths_below_their_number_of_digits():
    assert list(tabulate(runs({50: 1, 300: 1}))) == [
        "50, ResNet-8",
        "50, ResNet-20",
        "50, mean",
        "300, ResNet-8",
        "300, ResNet-20",
        "300, mean",
    ]


@pytest.mark.parametrize("size", [50, 100, 300])
def test_subset_holds_all_classes_alike_and_changes_with_the_seed(size):
    split = load_split()
    pictures, labels = draw_subset(split, size, seed=0)
    assert pictures.shape == (size, 8, 8, 3)
    counts = np.bincount(labels)
    assert len(counts) == 10
    assert np.ptp(counts) <= 2
    again, _ = draw_subset(split, size, seed=0)
    np.testing.assert_array_equal(pictures, again)
    other, other_labels = draw_subset(split, size, seed=1)
    assert np.any(labels != other_labels)
    assert np.any(pictures != other)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("character_recognition")
    return output, run_program(
        "character_recognition.py", "--quick", "--seeds", 1, "--output", output
    )


@pytest.mark.slow
def test_bin_is_ahead_within_a_hundred_steps(finished):
    results = read_results(finished[0])
    assert [run["norm"] for run in results["runs"]] == ["BN", "BIN"]
    assert results["settings"]["steps"] == 100
    assert results["claims"][0]["holds"], results["claims"]


@pytest.mark.slow
def test_table_and_picture_are_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in ("300, ResNet-8", "300, mean", "BIN - BN", "On the digits learnt"):
            assert expected in text
    check_picture(output / "character_recognition.png")
