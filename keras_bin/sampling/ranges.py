"""Which integers a model accepts: as wide a range as it runs on."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.networks.signature import Signature
from keras_bin.sampling.trial import Batch, Trial


class Range(NamedTuple):
    """Integers from `low` to `high`, both included."""

    low: int
    high: int


BINARY, ZERO, ONE, BYTES = Range(0, 1), Range(0, 0), Range(1, 1), Range(0, 255)
WIDE = 1000
NARROW = 20
# An index beyond any table, even after a remainder or a limit.
BEYOND_ANY_TABLE = 1_000_003
SMALLER = (255, 127, 63, 31, 15, 7, 3, 1, 0)

Ranges = dict[str, Range]


def is_integer(dtype: str) -> bool:
    """Tells whether a dtype is an integer one; bool is not."""
    return dtype.startswith(("int", "uint"))


def integer_ranges(
    trial: Trial, signature: Signature, generate: Callable[[Ranges], Batch], ranges: Ranges
) -> Ranges:
    """Widens the range of one integer input after another as far as the model runs.

    An input that an Embedding reads gets all of its indices. Others get negative numbers, zero
    and positive ones. If the model fails on these, as TensorFlow's gather does beyond a table,
    they get numbers from 0 to the largest bound on which it runs.

    Args:
        trial: runs the model.
        signature: the model's.
        generate: makes a batch of integers in given ranges, including both ends of each.
        ranges: ranges on which the model is known to run, by input name.
    """
    tables = [layer for layer in trial.layers if isinstance(layer, keras.layers.Embedding)]
    for info in signature.inputs:
        if is_integer(info.dtype):
            candidates = _candidates(trial, info, generate(ranges), tables)
            wider = ({**ranges, info.name: candidate} for candidate in candidates)
            ranges = next((r for r in wider if trial.is_finite(generate(r))), ranges)
    return ranges


def _candidates(trial, info, batch, tables):
    limits = np.iinfo(info.dtype)
    read = _rows_read(trial, info.name, batch, tables, min(BEYOND_ANY_TABLE, limits.max))
    rows = sorted({table.input_dim for table in tables}, reverse=True)
    found = [Range(0, high) for high in (WIDE, *(dim - 1 for dim in rows), *SMALLER)]
    if read is not None:
        found.insert(0, Range(0, read - 1))
    elif info.dtype == "uint8":
        found.insert(0, BYTES)
    else:
        found = [Range(-WIDE, WIDE), Range(-NARROW, NARROW), *found]
    clipped = (Range(max(low, limits.min), min(high, limits.max)) for low, high in found)
    return list(dict.fromkeys(clipped))


def _rows_read(trial, name, batch, tables, mark):
    """Returns the row count of the smallest Embedding that reads an input as it is, or None."""
    marked = {**batch, name: np.full_like(batch[name], mark)}
    calls = trial.inputs_of(tables, marked) if tables else []
    return min((table.input_dim for table, ids in calls if np.all(ids == mark)), default=None)
