"""Worth and settling on JAX and PyTorch, each in its own process, beside TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_bin import rho_worth
from tests.settling.nets import BINS, build, compiled, pictures

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_measure_the_same_and_keep_what_is_settled(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; the extra `test` installs only jax")
    model = build()
    model.save(tmp_path / "net.keras")
    run = subprocess.run(
        [sys.executable, "-m", "tests.settling.settling_program", str(tmp_path / "net.keras")],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout.splitlines()[-1])
    expected = [worth[3:] for worth in rho_worth(compiled(model), pictures())]
    # float32 rounding of losses near 0.7.
    np.testing.assert_allclose(results["worths"], expected, rtol=0, atol=1e-5)
    for moment in ("settled", "after"):
        assert {name: set(rho) for name, rho in results[moment].items()} == {
            name: {1.0} for name in BINS
        }
