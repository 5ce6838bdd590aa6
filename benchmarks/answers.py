"""How long `keras-bin` takes for answers that need no TensorFlow."""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.report import Section
from benchmarks.timing import interleave, ratio, timing

PASS = "python -c pass"
SCRIPT = "import re, sys; from keras_bin_cli import run; sys.exit(run())"  # as pip writes it
# The words after keras-bin, and the exit code.
CASES = {
    "help": ("--help", 0),
    "help of a command": ("export --help", 0),
    "versions": ("--version", 0),
    "wrong option": ("export --formt onnx", 2),
    "missing file": ("export none.keras net.onnx", 2),
    "file of another kind": ("export notes.keras net.onnx", 2),
    "truncated file": ("inspect cut.onnx", 2),
}


def answer(folder: Path, words: str, code: int) -> None:
    """Runs a command in its own process, and checks how it ends."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()], cwd=folder, capture_output=True, check=False
    )
    if done.returncode != code:
        raise RuntimeError(f"keras-bin {words} ended with {done.returncode}: {done.stderr!r}")


def do_nothing(folder: Path) -> None:
    """Starts Python."""
    subprocess.run([sys.executable, "-c", "pass"], cwd=folder, check=True)


def answers(plan: Plan, track: Callable) -> Section:
    """Times the answers beside a Python that does nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "notes.keras").write_text("no model")
        (folder / "cut.onnx").write_bytes(b"\x08\x08\x3a\x7f")
        functions = {PASS: functools.partial(do_nothing, folder)}
        functions |= {
            case: functools.partial(answer, folder, words, code)
            for case, (words, code) in CASES.items()
        }
        for _ in track([functions]):
            seconds = interleave(functions, plan.answer_rounds)
    rows = [
        {
            "what": case,
            "command": f"keras-bin {CASES[case][0]}" if case in CASES else case,
            "time": timing(times, None if case == PASS else ratio(times, seconds[PASS])),
        }
        for case, times in seconds.items()
    ]
    return Section(
        "answers",
        "answers of the command line that need no TensorFlow",
        "From the start of Python to the end of the process, by the code of the console script. "
        f"Median of {plan.answer_rounds} rounds in which all took turns, and time over that "
        f"of `{PASS}`, with the quartiles of that ratio over the rounds.",
        rows,
    )
