"""BINModel beside keras.Model on JAX and PyTorch, each in its own process."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
# Most of the time goes into compiling programs that run once or twice.
QUICK_TO_COMPILE = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"


@pytest.fixture(scope="module", params=["jax", "torch"])
def results(request, tmp_path_factory):
    """What the program printed on one backend; on JAX in Keras's NNX mode, where flax is found."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; the extra `test` installs only jax")
    with_nnx = request.param == "jax" and importlib.util.find_spec("flax") is not None
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.training.training_program",
            tmp_path_factory.mktemp(request.param),
        ],
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "KERAS_BACKEND": request.param,
            "XLA_FLAGS": QUICK_TO_COMPILE,
            "KERAS_NNX_ENABLED": str(with_nnx).lower(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_another_optimizer_steps_ten_times_as_far_without_decay(results):
    np.testing.assert_allclose(results["replaced"], 0.01, rtol=0.01)


def test_old_optimizer_refuses_what_was_unfrozen_in_keras_words(results):
    for ours, theirs in results["unfrozen"].values():
        assert ours == theirs
        assert ours[0] == "ValueError"


def test_gates_that_are_trained_alone_do_not_decay(results):
    for name, (plain, decayed) in results["alone"].items():
        assert np.abs(np.subtract(plain, 0.5)).min() > 1e-4, name
        # The other weights decay by a twentieth a step where they are trained, too.
        atol = 1e-3 if name == "apart" else 0
        np.testing.assert_allclose(decayed, plain, rtol=0, atol=atol, err_msg=name)


def test_model_lives_as_one_of_keras_does(results):
    ours, theirs = results["lives"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_clipping_leaves_the_steps_of_gates_in_half_precision(results):
    plain, clipped = results["half"]
    assert np.abs(np.subtract(plain, 0.75)).max() > 1e-3
    assert clipped == plain
