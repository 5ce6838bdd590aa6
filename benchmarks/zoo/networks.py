"""Going through many networks, each in a fresh process; results are written as they come."""

import argparse
import json
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

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
from benchmarks.zoo.net import Net
from benchmarks.zoo.outcome import rows_of_today
from benchmarks.zoo.packages import INSTALL, requirement

Rows = dict[str, dict]


def network_parser(
    command: str, description: str, names: Collection[str]
) -> argparse.ArgumentParser:
    """Returns a parser of the options that programs for many networks share."""
    parser = argparse.ArgumentParser(prog=f"python -m {command}", description=description)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        metavar="NAME",
        help=f"which, of {', '.join(names)} (default: all)",
    )
    parser.add_argument(
        "--limit", type=float, default=1800.0, help="seconds that each may take (default: 1800)"
    )
    return parser


def measured(
    net: Net, name: str, command: Sequence[str], limit: float, row: Callable[..., dict]
) -> dict:
    """Runs a program for a network in a fresh process; returns the row of the network.

    Args:
        net: the network.
        name: of the network.
        command: the module and its arguments, without `--to`, the file that it writes.
        limit: seconds after which the process is ended.
        row: makes the row from what the program wrote.
    """
    if not installed(net.module):
        missing = f"package missing: {requirement(net.module)}; {INSTALL}"
        return {"net": name, "note": missing}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        ended = run_limited(limit, *command, "--to", str(path))
        return row(name, json.loads(path.read_text()) if path.exists() else {}, ended)


def measure_all(
    command: str,
    names: Sequence[str],
    plan: Any,
    measure: Callable[[str], dict],
    section_of: Callable[[Rows], Section],
    more: bool,
) -> Section:
    """Measures networks, and shows and writes the results again after each one.

    Args:
        command: the module that is run.
        names: of the networks, at least one.
        plan: a data class, as for `document`.
        measure: returns the row of a network.
        section_of: makes the section of rows.
        more: whether to keep rows that were written on the same day.
    """
    console = wide_console()
    name_of_section = section_of({}).name
    rows = rows_of_today(plan, name_of_section, RESULTS) if more else {}
    columns = (TextColumn("{task.description:30}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            rows[name] = measure(name)
            section = section_of(rows)
            run = document([section], plan, command_line(command), None)
            paths = write(run, [name_of_section], RESULTS)
            progress.advance(task)
    console.print(rich_table(section))
    for path in paths:
        console.print(f"Written: {path}")
    return section
