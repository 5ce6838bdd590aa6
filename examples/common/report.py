"""What every experiment leaves behind: a table over seeds, claims, and files that hold them."""

import datetime
import importlib.metadata
import io
import json
import platform
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from statistics import mean, stdev
from typing import NamedTuple

import keras
from rich import box
from rich.console import Console
from rich.table import Table

from common.whole_files import write_whole

PACKAGES = (
    "keras-bin",
    "keras",
    "tensorflow",
    "numpy",
    "scikit-learn",
    "scikit-image",
    "onnxruntime",
)
JUDGED_SEEDS = 3


def mean_and_deviation(values: Sequence[float], sign: str = "-", digits: int = 1) -> str:
    """Writes the mean of values over seeds, and their standard deviation if there are several.

    Args:
        values: one per seed.
        sign: "-" writes the sign of a mean below 0, "+" that of every mean.
        digits: after the decimal point.
    """
    text = f"{mean(values):{sign}.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {stdev(values):.{digits}f}"


def score_table(title: str, head: str, rows: dict[str, dict[str, Sequence[float]]]) -> Table:
    """Compares normalizations: mean and standard deviation over seeds.

    Args:
        title: what is listed, with its unit.
        head: what the rows are.
        rows: by row and normalization, one value per seed, in the order of the seeds. With "BN"
            and "BIN" among the normalizations, their differences seed by seed get a column.
    """
    norms = list(next(iter(rows.values())))
    compared = {"BN", "BIN"} <= set(norms)
    table = Table(title=title)
    table.add_column(head)
    for column in (*norms, *(["BIN - BN"] if compared else [])):
        table.add_column(column, justify="right", no_wrap=True)
    for row, scores in rows.items():
        cells = [mean_and_deviation(values) for values in scores.values()]
        if compared:
            leads = [bin_ - bn for bin_, bn in zip(scores["BIN"], scores["BN"], strict=True)]
            cells.append(mean_and_deviation(leads, sign="+"))
        table.add_row(row, *cells)
    return table


def norm_table(title: str, rows: dict[str, dict[str, Sequence[float]]]) -> Table:
    """Compares many normalizations: a line for each, where `score_table` has a column.

    Args:
        title: what is listed, with its unit.
        rows: as for `score_table`; they become the columns.
    """
    table = Table("norm", title=title)
    for column in rows:
        table.add_column(column, justify="right", no_wrap=True)
    for norm in next(iter(rows.values())):
        table.add_row(norm, *(mean_and_deviation(scores[norm]) for scores in rows.values()))
    return table


def lead_tables(title: str, scores: dict[str, Sequence[float]]) -> list[Table]:
    """Compares each normalization with BN, and BIN with each, seed by seed.

    Args:
        title: what the leads are of, with their unit.
        scores: by normalization, one value per seed, in the order of the seeds.

    Returns:
        A table of mean and standard deviation of the differences, or none without BN and BIN.
    """
    if not {"BN", "BIN"} <= scores.keys():
        return []
    table = Table("norm", title=title)
    for head in ("ahead of BN", "BIN ahead of it"):
        table.add_column(head, justify="right", no_wrap=True)
    for norm in scores:
        pairs = ((norm, "BN"), ("BIN", norm))
        table.add_row(norm, *(_lead(scores, *pair) if pair[0] != pair[1] else "" for pair in pairs))
    return [table]


def _lead(scores, norm, other):
    leads = [one - two for one, two in zip(scores[norm], scores[other], strict=True)]
    return mean_and_deviation(leads, sign="+", digits=2)


class Claim(NamedTuple):
    """Something that an experiment should show, and whether it did."""

    sentence: str
    holds: bool

    def __str__(self):
        return f"{'Holds' if self.holds else 'Does not hold'}: {self.sentence}"


class Origin(NamedTuple):
    """Where earlier runs come from, perhaps from another machine.

    Attributes:
        seconds: how long they took, all together.
        date: the day, or the first and the last.
        versions: by package; several if they differ.
    """

    seconds: int
    date: str
    versions: dict[str, str]


def joined(origins: Iterable[Origin]) -> Origin:
    """Returns the common origin of all runs; their own origins may already be joined."""
    origins = list(origins)
    dates = sorted(day for origin in origins for day in origin.date.split(" to "))
    packages = dict.fromkeys(package for origin in origins for package in origin.versions)
    listed = {
        package: dict.fromkeys(
            version
            for origin in origins
            for version in origin.versions.get(package, "none").split(" and ")
        )
        for package in packages
    }
    return Origin(
        sum(origin.seconds for origin in origins),
        " to ".join(dict.fromkeys((dates[0], dates[-1]))),
        {package: " and ".join(found) for package, found in listed.items()},
    )


class Report(NamedTuple):
    """What an experiment found.

    Attributes:
        caption: what was run, and at which size.
        settings: what decided the results besides the seeds.
        runs: the results of each run, ready for JSON.
        tables: the results over seeds.
        claims: what the results should show.
        origin: of the runs; None if this call made them all.
        judged_seeds: with fewer, claims are only reported.
    """

    caption: str
    settings: dict
    runs: Sequence[dict]
    tables: Sequence[Table]
    claims: Sequence[Claim] = ()
    origin: Origin | None = None
    judged_seeds: int = JUDGED_SEEDS


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that affect results."""
    installed = {name: importlib.metadata.version(name) for name in PACKAGES}
    if keras.backend.backend() != "tensorflow":
        installed[keras.backend.backend()] = importlib.metadata.version(keras.backend.backend())
    return {"python": platform.python_version(), **installed}


def publish(report: Report, options: Namespace) -> None:
    """Writes `results.json` and `results.md`, prints the tables, and judges the claims.

    The program ends with exit code 1 if a claim does not hold. With `--quick`, or few
    seeds, claims are only reported.

    Args:
        report: what was found.
        options: from `read_options`.
    """
    console = Console()
    for table in report.tables:
        console.print(table)
    origin = report.origin or Origin(
        round(time.perf_counter() - options.started),
        datetime.date.today().isoformat(),
        versions(),
    )
    run = {"command": options.command, "seeds": list(options.seeds), **origin._asdict()}
    results = {
        **run,
        "caption": report.caption,
        "settings": report.settings,
        "claims": [claim._asdict() for claim in report.claims],
    }
    write_whole(options.output / "results.json", _json(results, report.runs))
    write_whole(options.output / "results.md", _markdown(report, run))
    written = ", ".join(sorted(path.name for path in options.output.iterdir() if path.is_file()))
    print(f"Written to {options.output}: {written}")
    for claim in report.claims:
        print(claim)
    if options.quick or len(options.seeds) < report.judged_seeds:
        print(f"Too small a run to judge: compare with {report.judged_seeds} seeds or more.")
    elif not all(claim.holds for claim in report.claims):
        sys.exit("Not every claim holds.")


def _json(results, runs):
    """Writes every run on a line of its own, as it may hold many numbers."""
    head = json.dumps(results, indent=2).removesuffix("\n}")
    lines = ",\n".join(f"    {json.dumps(run)}" for run in runs)
    return f'{head},\n  "runs": [\n{lines}\n  ]\n}}\n'


def _markdown(report, run):
    installed = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    blocks = [
        report.caption,
        f"`{run['command']}`, seeds: {', '.join(map(str, run['seeds']))}; {run['date']}, "
        f"{run['seconds']} s; {installed}.",
    ]
    for table in report.tables:
        table.box = box.MARKDOWN
        title, table.title = table.title, None
        console = Console(file=io.StringIO(), width=500)
        console.print(table)
        blocks += [f"{title}:", console.file.getvalue().strip()]
    blocks += ["\n".join(f"- {claim}" for claim in report.claims)]
    return "\n\n".join(blocks).strip() + "\n"
