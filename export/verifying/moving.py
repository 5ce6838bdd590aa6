"""By how much outputs move when inputs do, as a measure of rounding."""

from collections.abc import Callable

import numpy as np

from keras_bin.export.verifying.samples import rows
from keras_bin.export.verifying.trial import Batch

TIMES = 4


def largest_by_row(values: np.ndarray, rows: int) -> np.ndarray:
    """Returns the largest absolute value of each row of an output; one without rows is one."""
    by_row = np.abs(values).reshape(rows if values.shape[:1] == (rows,) else 1, -1)
    return by_row.max(axis=1, initial=0)


def moved_by(
    run: Callable[[Batch], Batch], batch: Batch, outputs: Batch, share: float
) -> dict[str, np.ndarray]:
    """Returns by how much the rows of each output move at most; integers among inputs do not.

    Args:
        run: computes outputs of a batch.
        batch: the inputs.
        outputs: what `run` makes of them.
        share: how far inputs move, up or down at random, relative to their values.
    """
    rng = np.random.default_rng(0)
    found = {}
    for _ in range(TIMES):
        moved = run({name: _moved(values, share, rng) for name, values in batch.items()})
        for name, values in moved.items():
            if values.dtype.kind == "f":
                by = largest_by_row(values - outputs[name].astype("float64"), rows(batch))
                found[name] = np.fmax(found.get(name, 0), by)
    return found


def _moved(values, share, rng):
    if values.dtype.kind != "f":
        return values
    return values.astype("float64") * (1 + share * rng.choice([-1, 1], values.shape))
