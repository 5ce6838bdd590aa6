"""Sections of measurements, as tables on the screen, as Markdown and as JSON."""

import contextlib
import dataclasses
import datetime
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.environment import device, slug, versions

LONGEST = 40  # characters of a cell that is kept on one line
RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Section:
    """One table.

    Attributes:
        name: the word for `--only`.
        title: what was measured.
        method: how, in a sentence or two, or why it was not.
        rows: values by column: text, numbers, or data classes that print themselves. None,
            and columns that a row lacks, stay empty.
    """

    name: str
    title: str
    method: str
    rows: Sequence[Mapping[str, object]] = ()

    @property
    def columns(self) -> list[str]:
        """All columns, in the order in which they appear in the rows."""
        return list(dict.fromkeys(column for row in self.rows for column in row))


def skipped(name: str, title: str, reason: str) -> Section:
    """Returns a section that has no table and says why."""
    return Section(name, title, f"Skipped: {reason}.")


def cell(value: object) -> str:
    """Returns a value as text; numbers with three digits."""
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def rich_table(section: Section) -> Table:
    """Returns the section as a table for the screen."""
    table = Table(title=section.title, caption=section.method)
    for column in section.columns:
        text = all(isinstance(row.get(column), str) for row in section.rows)
        short = all(len(cell(row.get(column))) <= LONGEST for row in section.rows)
        table.add_column(column, justify="left" if text else "right", no_wrap=text and short)
    for row in section.rows:
        table.add_row(*(cell(row.get(column)) for column in section.columns))
    return table


def wide_console() -> Console:
    """Returns a console that is wide enough for the tables if it is not a terminal."""
    return Console(width=max(Console().width, 140), highlight=False)


def command_line(module: str) -> str:
    """Returns the command that started this program, `module`, from the repository's root."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def document(
    sections: Sequence[Section], plan: object, command: str, accelerator: str | None
) -> dict:
    """Returns a run as a document, ready for JSON; `plan` is a data class."""
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "device": device(accelerator),
        "plan": dataclasses.asdict(plan),
        "sections": [{**vars(section), "columns": section.columns} for section in sections],
    }


def to_json(run: Mapping) -> str:
    """Returns a document as JSON; a data class becomes an object."""
    return json.dumps(run, indent=1, default=dataclasses.asdict, allow_nan=False) + "\n"


def to_markdown(run: Mapping) -> str:
    """Returns a document as Markdown, with a table for each section."""
    machine = run["device"]
    lines = [
        f"# Benchmarks of {run['date']}",
        "",
        f"`{run['command']}` on {machine['accelerator'] or machine['cpu']}, "
        f"{machine['cores']} cores; "
        + ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        + ".",
    ]
    for section in run["sections"]:
        lines += ["", f"## {section['name']}: {section['title']}", "", section["method"], ""]
        lines += table_lines(section["columns"], section["rows"])
    return "\n".join(lines).rstrip() + "\n"


def table_lines(columns: Sequence[str], rows: Sequence[Mapping]) -> list[str]:
    """Returns the lines of a table in Markdown; none without rows."""
    if not rows:
        return []
    lines = [_line(columns), _line(["---"] * len(columns))]
    return lines + [_line(cell(row.get(column)) for column in columns) for row in rows]


def _line(cells):
    escaped = (text.replace("|", "\\|").replace("\n", " ") for text in cells)
    return f"| {' | '.join(escaped)} |"


def result_stem(run: Mapping, partial: Sequence[str] = ()) -> str:
    """Returns the name of a document's files, without their endings; see `write`."""
    machine = run["device"]
    return "-".join([run["date"], slug(machine["accelerator"] or machine["cpu"]), *partial])


def write(run: Mapping, partial: Sequence[str] = (), folder: Path = RESULTS) -> list[Path]:
    """Writes a document as JSON and as Markdown, each whole or not at all.

    Args:
        run: what `document` returned.
        partial: names of the sections unless there are all of them, so that a partial run does not
            replace a full one of the same day.
        folder: where to write; made if missing.

    Returns:
        The two files, named for the date and the device.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = result_stem(run, partial)
    files = {f"{stem}.json": to_json(run), f"{stem}.md": to_markdown(run)}
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        for name, text in files.items():
            (scratch / name).write_text(text)
        for name in files:
            os.replace(scratch / name, folder / name)
    return [folder / name for name in files]
