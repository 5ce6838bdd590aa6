"""What every experiment does: read its options, show its progress, report over seeds."""

import contextlib
import datetime
import importlib.metadata
import io
import json
import math
import platform
import shlex
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import keras
from matplotlib.axes import Axes
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

EXAMPLES = Path(__file__).parents[1]
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
COLOURS = {"BN": "#4477aa", "IN": "#ccbb44", "BN+IN": "#66ccee", "BIN": "#ee6677"}


def option_parser(program: str, description: str, seeds: int, folder: str) -> ArgumentParser:
    """Makes a command line with the options `--seeds` and `--output`.

    Args:
        program: file name of the program.
        description: what the program does.
        seeds: default number of seeds.
        folder: default folder of the results, inside `examples`.
    """
    parser = ArgumentParser(
        prog=program,
        description=description,
        epilog=f"example: python examples/{program} --seeds 3 --output DIR",
    )
    parser.add_argument(
        "--seeds",
        type=positive,
        default=seeds,
        metavar="N",
        help="repeat everything with the seeds 0 to N-1 (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=EXAMPLES / folder,
        metavar="DIR",
        help=f"folder for results and pictures (default: examples/{folder})",
    )
    return parser


def add_quick(parser: ArgumentParser, meaning: str) -> None:
    """Adds the option `--quick`; `meaning` says what it cuts down."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"only show that the program works: {meaning}; its claims are not judged",
    )


def positive(text: str) -> int:
    """Reads an integer above 0 from the command line."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"must be an integer above 0. Received: {text!r}")
    return int(text)


def read_options(parser: ArgumentParser, arguments: list[str] | None) -> Namespace:
    """Reads the command line, and makes the output folder so that a bad one fails early."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    options.command = shlex.join(["python", f"examples/{parser.prog}", *arguments])
    options.started = time.perf_counter()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(
            f"argument --output: must be a folder, or a path where one can be made: {error}"
        )
    return options


class RunBar:
    """The bar of one run.

    Attributes:
        result: what the run leaves on the screen, set before its end.
        seconds: how long it took, known after its end.
    """

    def __init__(self, progress: Progress, task: TaskID):
        self.result = ""
        self.seconds = math.nan
        self._progress = progress
        self._task = task

    def advance(self, note: str = "") -> None:
        """Moves the bar by one step, and shows a note beside it."""
        self._progress.update(self._task, advance=1, note=note)

    def epoch_callback(self) -> keras.callbacks.Callback:
        """Makes a callback that moves the bar after each epoch of `fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: self.advance(f"loss {logs['loss']:.4f}")
        )


class RunBars:
    """A bar for all runs of an experiment, and a bar for the steps of the present one."""

    def __init__(self, progress: Progress, runs: int):
        self._progress = progress
        self._runs = progress.add_task("all runs", total=runs, note="")
        self._steps = progress.add_task("", total=None, note="")

    @contextlib.contextmanager
    def run(self, name: str, steps: int) -> Iterator[RunBar]:
        """Yields the bar of a run, times the run, and prints its result."""
        self._progress.reset(self._steps, total=steps, description=name, note="")
        bar = RunBar(self._progress, self._steps)
        started = time.perf_counter()
        yield bar
        bar.seconds = round(time.perf_counter() - started, 1)
        self._progress.console.print(f"{name}  {bar.result}, {bar.seconds} s", highlight=False)
        self._progress.advance(self._runs)


@contextlib.contextmanager
def run_bars(runs: int) -> Iterator[RunBars]:
    """Shows the progress of an experiment of so many runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        yield RunBars(progress, runs)


def mean_and_deviation(values: Sequence[float], digits: int = 1) -> str:
    """Writes the mean of values over seeds, and their standard deviation if there are several."""
    text = f"{mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {stdev(values):.{digits}f}"


def score_table(title: str, head: str, rows: dict[str, dict[str, Sequence[float]]]) -> Table:
    """Sets normalizations side by side, mean and standard deviation over seeds.

    Args:
        title: what is listed, with its unit.
        head: what the rows are.
        rows: by row and normalization, one value per seed. With "BN" and "BIN" among the
            normalizations, their difference gets a column.
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
            cells.append(f"{mean(scores['BIN']) - mean(scores['BN']):+.1f}")
        table.add_row(row, *cells)
    return table


def plot_scores(axes: Axes, scores: dict[str, Sequence[float]]) -> None:
    """Draws a bar per normalization, with the standard deviation over seeds.

    Args:
        axes: where to draw.
        scores: by normalization, one percentage per seed. The axis begins 5 points below the
            lowest mean.
    """
    means = [mean(values) for values in scores.values()]
    errors = [stdev(values) if len(values) > 1 else 0 for values in scores.values()]
    colours = [COLOURS[norm] for norm in scores]
    bars = axes.bar(list(scores), means, yerr=errors, color=colours, capsize=4)
    axes.bar_label(bars, fmt="%.1f", label_type="center")
    axes.set_ylim(max(0, min(means) - 5), 100)


def plot_grouped_scores(axes: Axes, rows: dict[str, dict[str, Sequence[float]]]) -> None:
    """Draws the bars of `plot_scores` for several rows side by side, with a legend.

    Args:
        axes: where to draw.
        rows: by row and normalization, one percentage per seed.
    """
    norms = list(next(iter(rows.values())))
    width = 0.8 / len(norms)
    means = {norm: [mean(scores[norm]) for scores in rows.values()] for norm in norms}
    for place, norm in enumerate(norms):
        axes.bar(
            [row + (place - (len(norms) - 1) / 2) * width for row in range(len(rows))],
            means[norm],
            width,
            yerr=[stdev(s[norm]) if len(s[norm]) > 1 else 0 for s in rows.values()],
            color=COLOURS[norm],
            capsize=2,
            label=norm,
        )
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set_ylim(max(0, min(map(min, means.values())) - 5), 100)
    axes.legend(ncols=len(norms), loc="lower right")


class Claim(NamedTuple):
    """Something that an experiment is to show, and whether it did."""

    sentence: str
    holds: bool

    def __str__(self):
        return f"{'Holds' if self.holds else 'Does not hold'}: {self.sentence}"


class Report(NamedTuple):
    """What an experiment found.

    Attributes:
        caption: what was run, and at which size.
        settings: what decided the results beside the seeds.
        runs: the results of each run, as JSON has them.
        tables: the results over seeds.
        claims: what the results are to show.
    """

    caption: str
    settings: dict
    runs: Sequence[dict]
    tables: Sequence[Table]
    claims: Sequence[Claim] = ()


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide results."""
    installed = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **installed}


def publish(report: Report, options: Namespace) -> None:
    """Writes `results.json` and `results.md`, prints the tables, and judges the claims.

    The program ends with exit code 1 if a claim does not hold. With `--quick`, or fewer than
    three seeds, claims are only reported.

    Args:
        report: what was found.
        options: from `read_options`.
    """
    console = Console()
    for table in report.tables:
        console.print(table)
    run = {
        "command": options.command,
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.perf_counter() - options.started),
        "seeds": list(range(options.seeds)),
        "versions": versions(),
    }
    results = {
        **run,
        "caption": report.caption,
        "settings": report.settings,
        "claims": [claim._asdict() for claim in report.claims],
        "runs": list(report.runs),
    }
    (options.output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (options.output / "results.md").write_text(_markdown(report, run))
    written = ", ".join(sorted(path.name for path in options.output.iterdir() if path.is_file()))
    print(f"Written to {options.output}: {written}")
    for claim in report.claims:
        print(claim)
    if options.quick or options.seeds < JUDGED_SEEDS:
        print(f"Too small a run to judge: compare with --seeds {JUDGED_SEEDS} or more.")
    elif not all(claim.holds for claim in report.claims):
        sys.exit("Not every claim holds.")


def _markdown(report, run):
    installed = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    blocks = [
        report.caption,
        f"`{run['command']}`, seeds: {len(run['seeds'])}, {run['date']}, "
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
