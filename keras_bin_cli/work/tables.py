"""Tables of results, each with a separate title, which a narrow table would wrap."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text


def titled_table(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]
) -> tuple[str, Table]:
    """Returns a title and a table.

    Args:
        title: what is listed.
        columns: the headings.
        rows: the cells of each row.
    """
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return f"\n{title}", table


def table_of(
    title: str, headings: Mapping[str, str], rows: Sequence[Mapping[str, Any] | None]
) -> tuple[str, Table]:
    """Returns a title and a table of objects, with a column for each key that any of them has.

    Args:
        title: what is listed.
        headings: the heading of each key.
        rows: the objects.
    """
    found = [row or {} for row in rows]
    keys = [key for key in headings if not found or any(key in row for row in found)]
    cells = ((_text(row.get(key)) for key in keys) for row in found)
    return titled_table(title, [headings[key] for key in keys], cells)


def _text(value):
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
