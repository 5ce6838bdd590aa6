"""What became of a network, as a row of a table."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.oracle import within
from benchmarks.report import document, result_stem

FORMATS = ("fold", "ONNX", "SavedModel")
LONGEST = 300  # characters of a message in a table; JSON holds all of it


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a network in one format.

    Attributes:
        status: `"ok"`; `"wrong"` if it was exported and computes something else; `"refused"`; `"no
            result"` if the process ended or took too long; `"not tried"` after that.
        seconds: how long it took, including the comparison; None if that is unknown.
        largest: largest absolute difference from the model on inputs of this program, in output
            units; None if there is none, or if it is not finite.
        size: largest absolute right value.
        message: class and text of what was raised, or why there is no result.
    """

    status: str
    seconds: float | None = None
    largest: float | None = None
    size: float | None = None
    message: str = ""

    def __str__(self):
        said = [self.status]
        if self.message:
            said.append(headline(self.message))
        elif self.size is not None:
            apart = "not finite" if self.largest is None else f"{self.largest:.1e}"
            said.append(f"{apart} of {self.size:.2g}")
        if self.seconds is not None:
            said.append(f"{self.seconds:.0f} s")
        return ", ".join(said)


def headline(message: str) -> str:
    """Returns the first line of a message, and the next if it ends in a colon, shortened."""
    first, *more = message.splitlines()
    if first.endswith(":") and more:
        first = f"{first} {more[0].strip()}"
    return first if len(first) <= LONGEST else f"{first[: LONGEST - 1]}…"


def outcome(found: Mapping) -> Outcome:
    """Reads what `benchmarks.zoo.export_net` wrote about a finished step."""
    if "error" in found:
        return Outcome("refused", found["seconds"], message=found["error"])
    apart = found["difference"]
    status = "ok" if within(apart["relative"], found["allowed"]) else "wrong"
    return Outcome(status, found["seconds"], apart["largest"], apart["size"])


def row(name: str, found: Mapping, ended: str = "") -> dict:
    """Makes the row of a network.

    Args:
        name: of the network.
        found: what `benchmarks.zoo.export_net` wrote, by step.
        ended: why its process ended before all steps were done; empty if it did not.
    """
    build = found.get("build", {"error": f"no result: {ended}"})
    if "error" in build:
        return {"net": name, "note": headline(f"does not build: {build['error']}")}
    outcomes = {step: outcome(found[step]) for step in FORMATS if step in found}
    for step in FORMATS[len(outcomes) :]:
        outcomes[step] = Outcome("no result", message=ended) if ended else Outcome("not tried")
        ended = ""
    onnx = found.get("ONNX", {})
    return {
        "net": name,
        "parameters": build["parameters"],
        **outcomes,
        "Conv": onnx.get("convolutions"),
        "inner Transpose": onnx.get("inner_transposes"),
    }


def read_row(written: Mapping) -> dict:
    """Reads a row back from JSON."""
    outcomes = {step: Outcome(**written[step]) for step in FORMATS if step in written}
    return {**written, **outcomes}


def rows_of_today(plan: object, section: str, folder: Path) -> dict[str, dict]:
    """Reads the rows of a section that a run of today has written, by network.

    Args:
        plan: a data class, as for `document`.
        section: its name, the only one in the file.
        folder: where results are written.
    """
    path = folder / f"{result_stem(document([], plan, '', None), [section])}.json"
    if not path.exists():
        return {}
    (written,) = json.loads(path.read_text())["sections"]
    return {each["net"]: read_row(each) for each in written["rows"]}


def counts(rows: Sequence[Mapping]) -> str:
    """Returns how many networks came out right, by format."""
    right = {
        step: sum(step in each and each[step].status == "ok" for each in rows) for step in FORMATS
    }
    return ", ".join(f"{step} {count}/{len(rows)}" for step, count in right.items())
