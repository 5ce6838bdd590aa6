"""The latency of exported nets, beside the same nets with BN and Keras's own exports."""

import dataclasses
from collections.abc import Callable

from benchmarks.artifacts import ONES, PLAIN, TWIN
from benchmarks.environment import installed
from benchmarks.export_latency import LOADS
from benchmarks.plan import ExportPlan, Plan, shape_name
from benchmarks.processes import run_module
from benchmarks.report import Section
from benchmarks.runtimes import RUNTIMES, packages
from benchmarks.timing import ratio, timing

PEERS = {"/ all ones": ONES, "/ BN": TWIN, "/ plain BIN": PLAIN}


@dataclasses.dataclass(frozen=True)
class Operators:
    """Numbers of operators by kind; as text, their sum."""

    kinds: dict[str, int]

    def __str__(self):
        return str(sum(self.kinds.values()))


def export(plan: Plan, track: Callable) -> Section:
    """Times exported nets, each net in its own process."""
    missing = {name: [each for each in packages(name) if not installed(each)] for name in RUNTIMES}
    runtimes = [name for name, packages in missing.items() if not packages]
    rows = []
    for case in track(plan.exports):
        for measured in _measure(case, runtimes, plan.export_threads):
            rows += export_rows(case, **measured)
    skipped = "".join(
        f" {name} is left out: {', '.join(packages)} not installed."
        for name, packages in missing.items()
        if packages
    )
    return Section(
        "export",
        "one call of an exported net",
        f"Float32, on {plan.export_threads} threads of the CPU, ONNX Runtime's without spinning, "
        f"SavedModels by their signature, a tf.function. `{TWIN}` and `{PLAIN}`, or plain BIN, "
        "were written by model.export, the others by keras_bin: gates, and for which runtime (or "
        "with which lowering). Weights are equal and away from where they start. Gates: paper, 1 "
        "in 72 % of the channels, 0 in 10 %, uniform in the others; free, from 0.3 to 0.7, but 1 "
        "in 5 %; front, those in the first layer, 1 in all others; all ones, which is BN. Medians "
        "of rounds in which all artifacts of a runtime took turns, each loaded "
        f"{LOADS} times, ratios of the medians, and quartiles of the ratios over the rounds, "
        f"of which there were {'; '.join(map(_rounds, plan.exports))}. Operators are those in the "
        f"file, before ONNX Runtime optimizes.{skipped}",
        rows,
    )


def export_rows(
    case: ExportPlan, runtime: str, artifacts: dict[str, dict], seconds: dict[str, dict]
) -> list[dict]:
    """Makes a row for each batch and artifact; the first one says what the artifact holds.

    Args:
        case: what was measured.
        runtime: what ran the artifacts.
        artifacts: bytes, and operators of ONNX files, by artifact.
        seconds: times by batch and artifact.
    """
    rows = []
    for batch, timed in seconds.items():
        for name, elapsed in timed.items():
            row = {
                "runtime": runtime,
                "net": f"{case.net}, {shape_name((case.size, case.size))}",
                "batch": int(batch),
                "artifact": name,
                "time": timing(elapsed),
                **{
                    column: ratio(elapsed, timed[peer])
                    for column, peer in PEERS.items()
                    if peer in timed and name != peer
                },
            }
            if batch == next(iter(seconds)):
                row["MB"] = artifacts[name]["bytes"] / 1e6
                if "operators" in artifacts[name]:
                    row["operators"] = Operators(artifacts[name]["operators"])
            rows.append(row)
    return rows


def _measure(case, runtimes, threads):
    return run_module(
        "benchmarks.export_latency",
        case.net,
        *("--size", str(case.size)),
        *("--gates", *case.gates),
        *("--batches", *map(str, case.rounds)),
        *("--rounds", *map(str, case.rounds.values())),
        *("--threads", str(threads)),
        *("--runtimes", *runtimes),
    )


def _rounds(case):
    rounds = (f"{count} at batch {batch}" for batch, count in case.rounds.items())
    return f"{', '.join(rounds)} of {case.net}"
