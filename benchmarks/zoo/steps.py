"""Takes steps with a network, and writes after each what was found."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.oracle import attempt


def take(steps: Mapping[str, Callable[[], dict]], needed: Sequence[str], to: Path) -> None:
    """Takes steps in order; findings remain when a later one takes too long or ends the process.

    Args:
        steps: by name; each returns what it found, ready for JSON.
        needed: names of those without which there are no others.
        to: the JSON file to write: by step its seconds, and what it found or its error.
    """
    found = {}
    for name, step in steps.items():
        tried = attempt(step)
        found[name] = {"seconds": tried.seconds, **(tried.found or {"error": tried.error})}
        to.write_text(json.dumps(found))
        if tried.error and name in needed:
            break
