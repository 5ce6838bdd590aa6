"""Converts networks that others wrote from batch normalization to BIN, and records how it went.

    pip install -e ".[examples]"
    pip install --no-deps -r benchmarks/zoo/requirements.txt
    python -m benchmarks.conversion [--only NAME ...] [--no-export] [--limit SECONDS]

Every architecture of keras.applications that has batch normalization, the backbones of KerasHub,
and nets of the zoo's other packages. Each runs in a fresh process. Prints a table, and updates
`benchmarks/results/` after each network; with `--only`, rows of the same day stay.
"""

import argparse
import dataclasses
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.conversion.nets import NETS, NOT_EXPORTED
from benchmarks.conversion.row import counts, row
from benchmarks.environment import installed
from benchmarks.processes import run_limited
from benchmarks.report import (
    RESULTS,
    Section,
    command_line,
    document,
    rich_table,
    wide_console,
    write,
)
from benchmarks.zoo.outcome import rows_of_today
from benchmarks.zoo.packages import INSTALL, requirement

SECTION = "conversion"


@dataclasses.dataclass(frozen=True)
class ConversionPlan:
    """How networks are converted.

    Attributes:
        limit: seconds that one may take.
        export: whether they are exported.
    """

    limit: float
    export: bool


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conversion", description="Convert networks that others wrote."
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=NETS,
        metavar="NAME",
        help=f"which, of {', '.join(NETS)} (default: all)",
    )
    parser.add_argument("--no-export", action="store_true", help="neither fold nor export")
    parser.add_argument(
        "--limit", type=float, default=1800.0, help="seconds that one may take (default: 1800)"
    )
    return parser.parse_args(arguments)


def convert_net(name: str, plan: ConversionPlan) -> dict:
    """Converts a network in a fresh process; returns its row."""
    net = NETS[name]
    if not installed(net.module):
        missing = f"package missing: {requirement(net.module)}; {INSTALL}"
        return {"net": name, "note": missing}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        options = [] if plan.export and name not in NOT_EXPORTED else ["--no-export"]
        ended = run_limited(
            plan.limit, "benchmarks.conversion.convert_net", name, *options, "--to", str(path)
        )
        return row(name, json.loads(path.read_text()) if path.exists() else {}, ended)


def conversion_section(rows: dict[str, dict]) -> Section:
    """Makes the section of the rows, which come by name."""
    ordered = [rows[name] for name in NETS if name in rows]
    return Section(
        SECTION,
        "networks that others wrote, converted from batch normalization to BIN",
        "Each in a process of its own, on the CPU, small, as its package builds it, with random "
        "gamma and beta and the moving statistics of a batch, or with the weights that come with "
        "it. Differences are the largest over the largest value of the same output, of the worst "
        "output, on inputs of this program's own. float64: rho = 1, in inference; training and "
        "statistics: outputs and moving statistics of one call in training, in float64. "
        "float32 / rounding: the difference in float32 over that of the source from its float64 "
        "self. convert / clone_model: seconds of the CPU, without the comparison, medians of 3; "
        "passes: how often a network runs for the comparison; comparison / passes: what all of it "
        "takes over those. memory: by how much the conversion raised the peak of the process, "
        "beside the weights of its result. "
        "reverted: the way back, compared with the source. Then gates at random, a quarter at 0 "
        "and a quarter at 1, folded and exported, and compared as `python -m benchmarks.zoo` does. "
        f"{counts(ordered)}.",
        ordered,
    )


def main(arguments: list[str] | None = None) -> None:
    """Converts, and shows and writes the results."""
    options = parse_arguments(arguments)
    console = wide_console()
    names = [name for name in NETS if not options.only or name in options.only]
    plan = ConversionPlan(options.limit, not options.no_export)
    rows = rows_of_today(plan, SECTION, RESULTS) if options.only else {}
    columns = (TextColumn("{task.description:30}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            rows[name] = convert_net(name, plan)
            section = conversion_section(rows)
            run = document([section], plan, command_line("benchmarks.conversion"), None)
            paths = write(run, [SECTION], RESULTS)
            progress.advance(task)
    console.print(rich_table(section))
    for path in paths:
        console.print(f"Written: {path}")


if __name__ == "__main__":
    main()
