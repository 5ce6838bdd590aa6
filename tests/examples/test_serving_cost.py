"""Accuracy at the price of BN when served: the claims, and what a quick run leaves."""

import json

import keras
import numpy as np
import pytest

import serving_cost
from common.norms import SETTLED
from fashion import latency
from keras_bin import rho_weights
from serving_cost import LIMITS, accuracy_claims, latency_claims, ratios
from tests.examples.programs import check_picture, make_fashion, read_results, run_program
from tests.keras_versions import needs_keras

TIMES = {"OpenVINO": {"BN": {1: 2.0, 32: 40.0}, SETTLED: {1: 1.9, 32: 44.0}}}


@pytest.mark.parametrize(
    ("means", "holds"),
    [
        ({"BN": 87, "BIN": 88, SETTLED: 88, "IN first": 87.5}, [True, True, True]),
        ({"BN": 87, "BIN": 88, SETTLED: 87.8, "IN first": 87.8}, [True, True, False]),
        ({"BN": 87, "BIN": 88, SETTLED: 87.79, "BIN first": 87}, [False, False, True]),
        ({"BN": 87, "BIN": 90, SETTLED: 89.5}, [False, True]),
        ({"BN": 87, SETTLED: 89.5}, []),
    ],
)
def test_settled_gates_are_compared_with_free_ones_bn_and_placements(means, holds):
    assert [claim.holds for claim in accuracy_claims(means)] == holds


def test_mean_at_the_first_layer_is_not_among_the_placements_that_are_to_be_beaten():
    """It is what settling finds."""
    means = {"BN": 87, "BIN": 88, SETTLED: 88, "BN+IN first": 89, "IBN-Net": 87}
    *_, claim = accuracy_claims(means)
    assert "(IBN-Net, 87.00 %)" in claim.sentence
    assert claim.holds


def test_times_are_set_against_bn_and_the_limits():
    assert ratios(TIMES)["OpenVINO", 1] == {"BN": 1.0, SETTLED: 0.95}
    assert [claim.holds for claim in latency_claims(TIMES)] == [True, False]
    assert "OpenVINO, settled gates take at most 1.00 times" in latency_claims(TIMES)[0].sentence


def test_every_runtime_has_limits():
    assert set(LIMITS) == set(latency.RUNTIMES)


@pytest.mark.slow
@needs_keras("3.13", "exports nothing to LiteRT")
def test_quick_run_trains_settles_exports_and_reports(tmp_path):
    folder = make_fashion(tmp_path / "data")
    out = tmp_path / "out"
    norms = ["bn", "bin", "bin-settled"]
    arguments = ["--quick", "--seeds", 1, "--norm", *norms, "--folder", folder, "--output", out]
    printed = run_program("serving_cost.py", *arguments)
    results = read_results(out)
    runs = {run["norm"]: run for run in results["runs"]}
    assert set(runs) == {"BN", "BIN", SETTLED}
    in_int8 = {latency.int8_of(name) for name in latency.installed(latency.IN_INT8)}
    assert set(runs["BN"]["ms"]) == in_int8.union(latency.installed())
    assert all(set(run["accuracy in int8"]) == in_int8 for run in runs.values())
    assert runs[SETTLED]["epochs"][-1]["rho/cost"] < 0.2  # one of nine layers, or none
    assert "rho/cost" not in runs["BIN"]["epochs"][-1]
    net = keras.saving.load_model(out / "runs_quick" / "seed-0-bin-settled.keras")
    kept = [set(rho.tolist()) for rho in map(np.array, rho_weights(net)) if np.any(rho < 1)]
    assert kept in ([], [{0.5}])
    assert "Time of one call, over that of BN" in printed
    assert "Accuracy in float and in int8" in printed
    check_picture(out / "serving_cost.png")
    assert json.dumps(results["claims"]).count("settled gates take at most") == len(
        latency.installed()
    )


def test_bn_must_be_among_the_norms(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        serving_cost.main(["--norm", "bin", "--output", str(tmp_path / "out")])
    assert "--norm: must include bn" in capsys.readouterr().err
