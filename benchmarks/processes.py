"""Programs in fresh processes: memory and first step of training, other backends, and more."""

import functools
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.backend_layer import JAX, TORCH, Backend
from benchmarks.environment import installed
from benchmarks.nets import NORMALIZATIONS
from benchmarks.plan import QUICK, Plan
from benchmarks.report import Section, skipped
from benchmarks.timing import median_and_range

ROOT = Path(__file__).parents[1]


def run_module(module: str, *arguments: str) -> dict:
    """Runs a module of this repository in a fresh Python, and reads the JSON it prints last.

    Args:
        module: its name.
        *arguments: what follows the name on the command line.

    Raises:
        RuntimeError: it failed; the message holds its standard error.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"python -m {module} {' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_limited(limit: float, module: str, *arguments: str) -> str:
    """Runs a module of this repository in a fresh Python, on the CPU, for a limited time.

    Args:
        limit: seconds after which it is ended.
        module: its name.
        *arguments: what follows the name on the command line.

    Returns:
        Why it ended before it was done; empty if it did not.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return f"the limit of {limit:g} s was reached"
    if not done.returncode:
        return ""
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return f"the process ended with {done.returncode}: {last}"


@functools.cache
def train_afresh(net: str, normalization: str, repeat: int) -> dict:
    """Runs `benchmarks.fresh_training`; sections that ask for the same `repeat` share its run."""
    return run_module("benchmarks.fresh_training", net, normalization)


def _training_rows(plan, track, unit, value):
    """Makes a row for each net from one value per run, BN and BIN in turns."""
    values = {net: {name: [] for name in NORMALIZATIONS} for net in plan.nets}
    for net, repeat in track(list(itertools.product(plan.nets, range(plan.repeats)))):
        for normalization, found in values[net].items():
            found.append(value(train_afresh(net, normalization, repeat)))
    rows = []
    for net, found in values.items():
        bn, bin_ = median_and_range(found["BN"]), median_and_range(found["BIN"])
        rows.append(
            {"net": net, f"BN, {unit}": bn, f"BIN, {unit}": bin_, "BIN / BN": bin_.value / bn.value}
        )
    return rows


def memory(plan: Plan, track: Callable) -> Section:
    """Measures by how much three training steps raise the peak memory of a process."""
    title = "memory of a training"
    if sys.platform != "linux":
        return skipped("memory", title, "the peak of memory is read from Linux")
    return Section(
        "memory",
        title,
        "How far building the net and three steps of train_on_batch raise the process's peak of "
        "memory (VmHWM), imports and data apart; each run in a fresh process; median and range "
        f"of {plan.repeats}, and the ratio of the medians.",
        _training_rows(plan, track, "MB", lambda run: run["peak_bytes"] / 1e6),
    )


def first_step(plan: Plan, track: Callable) -> Section:
    """Measures how long a net takes from its construction to the end of its first step."""
    return Section(
        "first_step",
        "from building a net to the end of its first training step",
        "Layers, model, compile and one train_on_batch; each run in a fresh process, BN and BIN "
        f"in turns; median and range of {plan.repeats}, and the ratio of the medians.",
        _training_rows(plan, track, "s", lambda run: run["first_step_s"]),
    )


def jax(plan: Plan, track: Callable) -> Section:
    """Times one layer in training under JAX, in its own process."""
    return _on_backend(JAX, plan, track)


def torch(plan: Plan, track: Callable) -> Section:
    """Times one layer in training under PyTorch, in its own process."""
    return _on_backend(TORCH, plan, track)


def _on_backend(backend: Backend, plan: Plan, track: Callable) -> Section:
    if not installed(backend.name):
        reason = f"{backend.title} is not installed"
        return skipped(backend.name, backend.section_title, reason)
    arguments = ["--json", *(["--quick"] if plan is QUICK else [])]
    for module in track([backend.module]):
        timed = run_module(module, *arguments)
    return backend.section(plan, **timed)
