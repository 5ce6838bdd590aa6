"""Exports are timed in a process of their own, and each beside both of its peers."""

import dataclasses
import subprocess

import pytest

from benchmarks import export as section
from benchmarks.artifacts import ONES, PLAIN, TWIN, ours
from benchmarks.export import Operators, export, export_rows
from benchmarks.plan import QUICK, ExportPlan
from benchmarks.processes import run_module
from benchmarks.runtimes import RUNTIMES
from benchmarks.timing import Spread, timing
from tests import forks

OURS = ours("paper", "any")
CASE = ExportPlan("ResNet-8", 16, {1: 2, 4: 3})
MEASURED = {
    "runtime": "ONNX Runtime",
    "artifacts": {
        name: {"bytes": 1e6 * size, "operators": {"Conv": size, "Add": 1}}
        for size, name in enumerate((TWIN, PLAIN, ONES, OURS), start=1)
    },
    "seconds": {
        "1": {TWIN: [0.001] * 2, PLAIN: [0.004] * 2, ONES: [0.001] * 2, OURS: [0.002] * 2},
        "4": {TWIN: [0.010] * 3, PLAIN: [0.020] * 3, ONES: [0.010] * 3, OURS: [0.005] * 3},
    },
}


def same(value):
    return Spread(value, value, value)


def test_rows_hold_times_ratios_to_both_peers_and_in_the_first_batch_what_is_in_the_file():
    rows = export_rows(CASE, **MEASURED)
    assert [(row["batch"], row["artifact"]) for row in rows] == [
        (batch, name) for batch in (1, 4) for name in (TWIN, PLAIN, ONES, OURS)
    ]
    assert rows[3] == {
        "runtime": "ONNX Runtime",
        "net": "ResNet-8, 16x16",
        "batch": 1,
        "artifact": OURS,
        "time": timing([0.002]),
        "/ all ones": same(2.0),
        "/ BN": same(2.0),
        "/ plain BIN": same(0.5),
        "MB": 4.0,
        "operators": Operators({"Conv": 4, "Add": 1}),
    }
    assert [row.get("/ BN") for row in rows[4:]] == [None, same(2.0), same(1.0), same(0.5)]
    assert "/ plain BIN" not in rows[1]
    assert not {"MB", "operators"} & rows[7].keys()


def test_runtime_without_the_twins_by_keras_has_one_ratio():
    seconds = {"1": {ONES: [0.001], OURS: [0.003]}}
    artifacts = {name: {"bytes": 1} for name in (ONES, OURS)}
    first, second = export_rows(CASE, "LiteRT", artifacts, seconds)
    assert not {"/ BN", "/ all ones"} & first.keys()
    assert second["/ all ones"] == same(3.0)
    assert "/ BN" not in second


def test_operators_show_their_sum():
    assert str(Operators({"Conv": 53, "Add": 17})) == "70"


@pytest.mark.parametrize(
    ("missing", "runtimes", "reason"),
    [
        ([], list(RUNTIMES), None),
        (["tf2onnx", "openvino"], ["LiteRT", "TensorFlow"], "openvino not installed."),
    ],
    ids=["all", "few"],
)
def test_each_net_has_a_process_with_the_runtimes_there_are(monkeypatch, missing, runtimes, reason):
    calls = []

    def run_module(*arguments):
        calls.append(arguments)
        return [MEASURED]

    monkeypatch.setattr(section, "run_module", run_module)
    monkeypatch.setattr(section, "installed", lambda package: package not in missing)
    plan = dataclasses.replace(QUICK, exports=(CASE,), export_threads=2)
    found = export(plan, iter)
    arguments = "--size 16 --gates paper --batches 1 4 --rounds 2 3 --threads 2 --runtimes".split()
    assert calls == [("benchmarks.export_latency", "ResNet-8", *arguments, *runtimes)]
    assert len(found.rows) == 8
    assert "2 at batch 1, 3 at batch 4 of ResNet-8." in found.method
    assert found.method.endswith(reason or "before ONNX Runtime optimizes.")
    if missing:
        assert "OpenVINO, ONNX is left out: tf2onnx, openvino not installed." in found.method


@pytest.mark.slow
def test_exports_are_timed_in_a_process_of_their_own(monkeypatch):
    """By one runtime; test_artifacts.py writes and runs the files of the others as well."""
    options = "ResNet-8 --size 8 --gates paper --batches 1 4 --rounds 2 3 --threads 2".split()
    monkeypatch.setattr(subprocess, "run", forks.run)
    (measured,) = run_module("benchmarks.export_latency", *options, "--runtimes", "ONNX Runtime")
    rows = export_rows(CASE, **measured)
    made = [ours("paper", name) for name in ("any", "onnxruntime", "openvino", "reduce_mean")]
    assert [(row["runtime"], row["batch"], row["artifact"]) for row in rows] == [
        ("ONNX Runtime", batch, name) for batch in (1, 4) for name in (TWIN, PLAIN, ONES, *made)
    ]
    assert all(row["operators"].kinds["Conv"] for row in rows[:7])
