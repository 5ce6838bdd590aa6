"""Exports nets that are generated from seeds, and compares the artifacts with them.

    python -m benchmarks.campaign [--nets 200] [--seed 0] [--only SEED ...] [--quick]

Inputs, reference and comparison are independent of the exporter: an artifact that it has verified
is run again. Prints tables and, in a full run, writes them to `benchmarks/results/` after every few
nets, so that an interrupted run keeps the results of those it finished. Ends with 1 if an artifact
computes something other than its net.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.campaign.judge import WRONG
from benchmarks.campaign.tables import counts, no_result, sections
from benchmarks.processes import run_limited
from benchmarks.report import (
    RESULTS,
    command_line,
    document,
    rich_table,
    wide_console,
    write,
)

EVERY = 5
TOGETHER = 10
QUICK_NETS = 2


@dataclasses.dataclass(frozen=True)
class CampaignPlan:
    """Which nets are generated.

    Attributes:
        seeds: one for each net.
        every: seeds divisible by it are also exported as SavedModels.
        limit: seconds that a net may take.
    """

    seeds: tuple[int, ...]
    every: int = EVERY
    limit: float = 300.0


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.campaign", description="Export generated nets and compare."
    )
    parser.add_argument("--nets", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the first one (default: 0)")
    parser.add_argument(
        "--only",
        type=int,
        nargs="+",
        metavar="SEED",
        help="the nets of these seeds, with all verdicts, and nothing written",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_NETS} nets and nothing written: a test of the program",
    )
    return parser.parse_args(arguments)


def try_nets(plan: CampaignPlan) -> Iterator[list[dict]]:
    """Tries nets, and yields the results of each process; nets that crash it have none."""
    waiting = list(plan.seeds)
    while waiting:
        together = waiting[:TOGETHER]
        found, ended = _export_in_process(together, plan)
        if len(found) < len(together):
            found.append(no_result(together[len(found)], ended or "the process left it out"))
        waiting = waiting[len(found) :]
        yield found


def main(arguments: list[str] | None = None) -> int:
    """Tries nets, shows and writes the results; returns 1 if a wrong artifact was exported."""
    options = parse_arguments(arguments)
    count = QUICK_NETS if options.quick else options.nets
    seeds = options.only or range(options.seed, options.seed + count)
    plan = CampaignPlan(tuple(seeds))
    console = wide_console()
    tried, paths = [], []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("nets", total=len(plan.seeds))
        for found in try_nets(plan):
            tried += found
            progress.advance(task, len(found))
            if not (options.only or options.quick):
                paths = _write(tried, plan)
    for section in sections(tried, plan.every):
        if section.rows:
            console.print(rich_table(section))
    if options.only:
        _show(tried, console)
    for path in paths:
        console.print(f"Written: {path}")
    console.print(counts(tried))
    return int(any(v["status"] == WRONG for net in tried for v in net["verdicts"].values()))


def _write(tried, plan):
    run = document(
        sections(tried, plan.every), plan, command_line("benchmarks.campaign"), accelerator=None
    )
    return write(run, ["campaign"], RESULTS)


def _show(tried: Sequence[dict], console: Console) -> None:
    for net in tried:
        console.print(f"{net['seed']}: {net['description']}", markup=False, soft_wrap=True)
        for name, verdict in net["verdicts"].items():
            console.print(f"  {name}: {verdict}", markup=False, soft_wrap=True)


def _export_in_process(seeds, plan):
    """Runs `benchmarks.campaign.export_nets`; returns the nets it finished, and why it ended."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nets.jsonl"
        options = ["--every", str(plan.every), "--to", str(path)]
        limit = plan.limit * len(seeds)
        ended = run_limited(limit, "benchmarks.campaign.export_nets", *map(str, seeds), *options)
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines], ended


if __name__ == "__main__":
    sys.exit(main())
