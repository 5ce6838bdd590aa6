"""Runs every case on every runtime, and prints how far each is from the Keras model.

    python -m tests.runtimes

The table is Markdown, for docs/measurements.md. It stops at the first runtime that is wrong.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.runtimes.cases import CASES, Exported, assert_outputs_equal, largest_difference
from tests.runtimes.registry import NOT_TESTED, RUNTIMES
from tests.runtimes.runtime import missing


def findings(exported: dict[str, Exported], folder: Path, console: Console) -> Iterator[tuple]:
    """Yields the name, version, artifact and largest difference of each runtime."""
    pairs = [(runtime, artifact) for runtime in RUNTIMES for artifact in runtime.artifacts]
    for number, (runtime, artifact) in enumerate(track(pairs, "runtimes", console=console)):
        lack = missing(runtime, artifact)
        if lack is not None:
            yield runtime.name, "", artifact, f"not run: {lack}"
            continue
        differences = []
        for case, each in exported.items():
            results = runtime.serve(each, artifact, folder / f"{number}-{_word(case)}").results
            assert_outputs_equal(results, each.expected)
            differences.append(largest_difference(results, each.expected))
        yield runtime.name, runtime.version(), artifact, f"{max(differences):.1e}"
    for name in NOT_TESTED:
        yield name, "", "", "not tested"


def _word(case):
    return case.replace(" ", "-")


def main() -> None:
    """Exports all cases, runs them, and prints the table."""
    console = Console(width=max(Console().width, 140), highlight=False)
    table = Table("runtime", "version", "artifact", "largest difference", box=box.MARKDOWN)
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, TensorFlow and NumPy, about each other
        folder = Path(temporary)
        exported = {case: Exported(case, folder / _word(case)) for case in CASES}
        for finding in findings(exported, folder, console):
            table.add_row(*finding)
    largest = max(
        float(np.abs(values).max())
        for each in exported.values()
        for batch in each.expected
        for values in batch.values()
    )
    console.print(table)
    console.print(f"Outputs reach {largest:.1f}. Models: {', '.join(CASES)}")


if __name__ == "__main__":
    main()
