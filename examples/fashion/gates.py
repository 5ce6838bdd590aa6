"""The final gates of BIN's layers, in a table."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table


def gate_tables(runs: Mapping[str, Sequence[dict]]) -> list[Table]:
    """Makes a table for each title whose runs include BIN."""
    chosen = {title: [run for run in made if run["norm"] == "BIN"] for title, made in runs.items()}
    return [gate_table(title, made) for title, made in chosen.items() if made]


def gate_table(title: str, runs: Sequence[dict]) -> Table:
    """Lists the mean of rho, and the shares of gates at 0, between and at 1, by layer.

    Args:
        title: of the table.
        runs: of BIN, one for each seed.
    """
    gates = np.array([run["epochs"][-1]["rho"] for run in runs])
    table = Table("BIN layer", title=title)
    for head in ("gates", "mean of rho", "at 0, %", "between, %", "at 1, %"):
        table.add_column(head, justify="right", no_wrap=True)
    for layer, values in enumerate(gates.swapaxes(0, 1), start=1):
        table.add_row(str(layer), *_cells(values[:, 0].mean(), values[:, 1:]))
    counts = gates[:, :, 1:].sum(1)
    sizes = gates[:, :, 1:].sum(-1)
    table.add_row("all", *_cells((gates[:, :, 0] * sizes).sum() / sizes.sum(), counts))
    return table


def _cells(rho, counts):
    """Counts of gates at 0, between and at 1, of shape `(seeds, 3)`."""
    shares = 100 * counts.sum(0) / counts.sum()
    return [f"{int(counts[0].sum())}", f"{rho:.2f}", *(f"{share:.1f}" for share in shares)]
