"""Tables of results: for a notebook, for a terminal, and as plain text."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple, TypeVar

from rich.table import Table as RichTable
from rich.text import Text

Item = TypeVar("Item")


class Table(NamedTuple):
    """A table of strings.

    Attributes:
        title: what is listed.
        columns: for each heading, whether its cells are figures, which are right-aligned.
        rows: the cells of each row.
    """

    title: str
    columns: Mapping[str, bool]
    rows: Sequence[tuple[str, ...]]

    def html(self) -> str:
        """Returns the table as HTML without colors, so that the notebook's theme sets them."""
        return (
            f'<table><caption style="caption-side: top; text-align: left">{escape(self.title)}'
            f"</caption><thead>{self._html_row('th', self.columns)}</thead>"
            f"<tbody>{''.join(self._html_row('td', row) for row in self.rows)}</tbody></table>"
        )

    def rich(self, styles: Mapping[str, str] | None = None) -> RichTable:
        """Returns the table for a terminal; `styles` maps cells to their styles."""
        table = RichTable(title=Text(self.title))
        for heading, is_figure in self.columns.items():
            table.add_column(heading, justify="right" if is_figure else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell, (styles or {}).get(cell, "")) for cell in row))
        return table

    def __str__(self) -> str:
        rows = [tuple(self.columns), *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join([self.title, *(self._line(row, widths) for row in rows)])

    def _html_row(self, tag, cells):
        aligned = zip(cells, self.columns.values(), strict=True)
        return "<tr>{}</tr>".format(
            "".join(
                f'<{tag} style="text-align: {"right" if is_figure else "left"}">{escape(cell)}'
                f"</{tag}>"
                for cell, is_figure in aligned
            )
        )

    def _line(self, row, widths):
        padded = (
            cell.rjust(width) if is_figure else cell.ljust(width)
            for cell, width, is_figure in zip(row, widths, self.columns.values(), strict=True)
        )
        return "  ".join(padded).rstrip()


class TableList(list[Item]):
    """A list of results that prints as a table, and displays as one in a notebook."""

    def table(self) -> Table:
        """Returns the table."""
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().html()
