"""Timing exports of two checkouts."""

import subprocess
import sys

import pytest

from benchmarks.export_time import cpu_seconds
from tests.export.kinds import bin_model


@pytest.mark.slow
def test_export_takes_time_of_the_cpu_in_its_own_process(tmp_path):
    bin_model().save(tmp_path / "net.keras")
    assert cpu_seconds(sys.executable, tmp_path / "net.keras", ["onnx"]) > 0.5


@pytest.mark.slow
def test_export_that_fails_is_not_timed(monkeypatch, tmp_path):
    (tmp_path / "keras_bin.py").write_text("raise SystemExit(2)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(subprocess.CalledProcessError):
        cpu_seconds(sys.executable, tmp_path / "none.keras", ["onnx"])
