"""How far outputs move when inputs move, as a measure of rounding."""

from collections.abc import Callable

import numpy as np

from keras_bin.sampling.batches import rows
from keras_bin.sampling.trial import Batch

TIMES = 4


def largest_by_row(values: np.ndarray, rows: int) -> np.ndarray:
    """Returns the largest absolute value of each row of an output, or of the whole without rows."""
    by_row = np.abs(values).reshape(rows if values.shape[:1] == (rows,) else 1, -1)
    return by_row.max(axis=1, initial=0)


def moved_by(
    run: Callable[[list[Batch]], list[Batch]],
    batches: list[Batch],
    outputs: list[Batch],
    move: float,
) -> list[dict[str, np.ndarray]]:
    """Returns how far the rows of each output move at most; only float inputs move.

    Args:
        run: computes outputs of all batches, each time from the same state.
        batches: the inputs.
        outputs: what `run` returns for them.
        move: how far inputs move, up or down at random, relative to their values.
    """
    rng = np.random.default_rng(0)
    found: list[dict[str, np.ndarray]] = [{} for _ in batches]
    for _ in range(TIMES):
        moved = [
            {name: _moved(values, move, rng) for name, values in batch.items()} for batch in batches
        ]
        for batch, new, old, by in zip(batches, run(moved), outputs, found, strict=True):
            for name, values in new.items():
                if values.dtype.kind == "f":
                    difference = values - old[name].astype("float64")
                    by[name] = np.fmax(by.get(name, 0), largest_by_row(difference, rows(batch)))
    return found


def _moved(values, move, rng):
    if values.dtype.kind != "f":
        return values
    return values.astype("float64") * (1 + move * rng.choice([-1, 1], values.shape))
