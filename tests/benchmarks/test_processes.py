"""The programs that run in fresh processes."""

import dataclasses
import subprocess
import sys

import pytest

from benchmarks import processes
from benchmarks.environment import installed
from benchmarks.plan import QUICK
from benchmarks.timing import Spread
from tests import forks


@pytest.mark.slow
def test_training_is_measured_in_a_fresh_process(monkeypatch):
    monkeypatch.setattr(subprocess, "run", forks.run)
    found = processes.run_module("benchmarks.fresh_training", "ResNet-8", "BIN")
    assert found["first_step_s"] > 0
    if sys.platform == "linux":
        assert found["peak_bytes"] > 0


def test_failure_shows_what_the_program_wrote():
    with pytest.raises(RuntimeError, match=r"(?s)json\.tool --fast failed.*arguments: --fast"):
        processes.run_module("json.tool", "--fast")


def test_program_with_a_limit_says_why_it_ended(tmp_path):
    (tmp_path / "right.json").write_text("{}")
    assert processes.run_limited(60, "json.tool", str(tmp_path / "right.json")) == ""
    found = processes.run_limited(60, "json.tool", "--fast")
    assert found.startswith("the process ended with 2: ")
    assert found.endswith("arguments: --fast")


def test_sections_share_the_runs_and_take_turns(monkeypatch):
    calls = []

    def run_module(module, net, normalization):
        calls.append((net, normalization))
        return {"first_step_s": float(len(calls)), "peak_bytes": 1e6 * len(calls)}

    monkeypatch.setattr(processes, "run_module", run_module)
    monkeypatch.setattr(sys, "platform", "linux")
    processes.train_afresh.cache_clear()
    plan = dataclasses.replace(QUICK, repeats=2)
    (row,) = processes.memory(plan, iter).rows
    assert calls == [("ResNet-8", "BN"), ("ResNet-8", "BIN")] * 2
    assert row == {
        "net": "ResNet-8",
        "BN, MB": Spread(2.0, 1.0, 3.0),
        "BIN, MB": Spread(3.0, 2.0, 4.0),
        "BIN / BN": 1.5,
    }
    processes.first_step(plan, iter)
    processes.train_afresh.cache_clear()
    assert len(calls) == 4


def test_memory_is_skipped_where_no_peak_is_known(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    section = processes.memory(QUICK, iter)
    assert section.method.startswith("Skipped: ")
    assert section.rows == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_other_backends_are_timed_in_a_process_without_tensorflow(name, monkeypatch, tmp_path):
    if not installed(name):
        pytest.skip(f"{name} is not installed; the extra `test` installs only jax")
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (row, *_) = getattr(processes, name)(QUICK, iter).rows
    assert row["layer"] == "keras_bin"
