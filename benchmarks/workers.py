"""Training steps of nets in two processes, with BIN and with BN."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.report import Section
from benchmarks.timing import ratio, timing
from testing.processes import free_ports, run_together

WORKERS = 2


def workers(plan: Plan, track: Callable) -> Section:
    """Times training steps in processes that `MultiWorkerMirroredStrategy` connects."""
    rows = []
    for net in track(plan.nets):
        ports = ",".join(map(str, free_ports(WORKERS)))
        program = "-m", "benchmarks.worker_steps"
        commands = [(*program, worker, ports, net, plan.step_rounds) for worker in range(WORKERS)]
        with tempfile.TemporaryDirectory() as folder:
            found, *_ = run_together(commands, Path(folder), {}, seconds=1800)
        seconds, collectives = found["seconds"], found["collectives"]
        for statistics, prefix in (("of each part", ""), ("synchronized", "synchronized ")):
            ours, theirs = f"{prefix}BIN", f"{prefix}BN"
            rows.append(
                {
                    "net": net,
                    "statistics": statistics,
                    "BN": timing(seconds[theirs]),
                    "BIN": timing(seconds[ours]),
                    "BIN / BN": ratio(seconds[ours], seconds[theirs]),
                    "collectives, BN": collectives[theirs],
                    "collectives, BIN": collectives[ours],
                }
            )
    return Section(
        "workers",
        f"one training step of a net in {WORKERS} processes",
        f"{WORKERS} processes on one machine under MultiWorkerMirroredStrategy, each with half of "
        "the batch; strategy.run of train_step with SGD and momentum, float32, BIN in a BINModel, "
        f"BN in a keras.Model; medians of {plan.step_rounds} rounds in which all four took turns, "
        "their ratio, and the quartiles of the ratio over the rounds; collectives in the graph of "
        "one step, that of all gradients among them.",
        rows,
    )
