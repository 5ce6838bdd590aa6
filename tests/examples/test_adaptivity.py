"""One normalization for two tasks: its claims, and what a quick run leaves behind."""

import numpy as np
import pytest

import adaptivity
from tests.examples.programs import check_picture, read_results, run_program

AHEAD = {
    ("digit", "BN"): 97.0,
    ("digit", "IN"): 98.0,
    ("digit", "BN+IN"): 99.0,
    ("digit", "BIN"): 97.75,
    ("contrast", "BN"): 99.0,
    ("contrast", "IN"): 60.0,
    ("contrast", "BN+IN"): 99.0,
    ("contrast", "BIN"): 98.75,
}


def runs(accuracies, rho):
    """Three runs of every net on every task, around an accuracy each."""
    return [
        {
            "task": task,
            "norm": norm,
            "seed": seed,
            "accuracy": accuracy + (-1, 0, 1)[seed],
            "rho": rho[task] if norm == "BIN" else [],
            "seconds": 1.0,
        }
        for (task, norm), accuracy in accuracies.items()
        for seed in range(3)
    ]


RHO = {"digit": [0.1, 0.3, 1, 1], "contrast": [0.6, 0.8, 0.2, 0.2]}


def verdicts(accuracies=AHEAD, rho=RHO):
    return [claim.holds for claim in adaptivity.claims(runs(accuracies, rho))]


def test_claims_hold_where_bin_adapts():
    assert verdicts() == [True, True, True, True]


@pytest.mark.parametrize(("missing", "number"), [("BN+IN", 4), ("BN", 0), ("IN", 0), ("BIN", 0)])
def test_claims_need_bn_in_and_bin(missing, number):
    without = [run for run in runs(AHEAD, RHO) if run["norm"] != missing]
    assert len(adaptivity.claims(without)) == number


def test_claims_allow_bin_to_be_half_a_point_behind():
    assert verdicts({**AHEAD, ("digit", "BIN"): 97.6, ("contrast", "BIN"): 98.6}) == [True] * 4


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({("digit", "BIN"): 97.4, ("contrast", "BN"): 98.0}, [False, True, True, True]),
        ({("contrast", "BIN"): 98.4, ("digit", "BN"): 96.0}, [True, False, True, True]),
        ({("digit", "BN"): 97.5}, [True, True, False, True]),
    ],
    ids=["behind IN on digit", "behind BN on contrast", "level with BN on the average"],
)
def test_claims_fail_where_bin_is_behind(changed, expected):
    assert verdicts({**AHEAD, **changed}) == expected


@pytest.mark.parametrize(
    "rho",
    [{**RHO, "digit": [0.4, 0.6, 0, 0]}, {**RHO, "contrast": [0.4, 0.6, 1, 1]}],
    ids=["stays on digit", "falls on contrast"],
)
def test_claim_on_rho_looks_at_the_first_two_layers(rho):
    assert verdicts(rho=rho) == [True, True, True, False]


def test_average_is_taken_seed_by_seed():
    rows = adaptivity.accuracies(runs(AHEAD, RHO))
    assert rows["average"]["BIN"] == [97.25, 98.25, 99.25]


def test_both_tasks_are_read_in_the_same_pictures():
    scans = np.random.default_rng(0).random((8, 8, 8))
    drawn = adaptivity.draw(scans, np.arange(8), seed=1)
    np.testing.assert_array_equal(drawn.labels["digit"], np.arange(8))
    np.testing.assert_array_equal(np.bincount(drawn.labels["contrast"]), 2)
    np.testing.assert_array_equal(
        drawn.pictures, adaptivity.draw(scans, np.arange(8), seed=1).pictures
    )
    assert np.any(drawn.pictures != adaptivity.draw(scans, np.arange(8), seed=2).pictures)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("adaptivity")
    return output, run_program("adaptivity.py", "--quick", "--seeds", 1, "--output", output)


@pytest.mark.slow
def test_bin_adapts_within_two_epochs(finished):
    results = read_results(finished[0])
    assert len(results["runs"]) == 8
    assert results["settings"]["epochs"] == 2
    on_digit, _, on_average, on_rho = results["claims"]
    assert on_digit["holds"], on_digit
    assert on_average["holds"], on_average
    assert on_rho["holds"], on_rho


@pytest.mark.slow
def test_table_is_printed_and_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in ("digit", "contrast", "average", "BN+IN", "BIN - BN"):
            assert expected in text


@pytest.mark.slow
def test_picture_decodes_and_is_not_blank(finished):
    check_picture(finished[0] / "adaptivity.png")
