"""Inputs that an artifact and its model are compared on."""

import math
from collections.abc import Mapping

import keras
import numpy as np

from keras_bin.export.signature import Signature

UNKNOWN_SIZES = (32, 48)
SMALL_BATCHES = (1, 3)
LARGE_BATCH = 16
LONGEST_BATCH = 64

Batch = dict[str, np.ndarray]


def sample_batches(signature: Signature, samples: Mapping | None = None) -> list[Batch]:
    """Returns batches of several sizes, each with an array for every input.

    Of `samples`, those are the first row, the first 3 rows, and all of them, at most 64.
    Without `samples` inputs are made up: batches of 1, 3 and 16, and where sizes are free
    batches of 1 and 3 at a second size. Floats are then normal with mean 1.5 and standard
    deviation 2, so that a fold which is right only around zero is found out; integers and
    booleans are 0 or 1, and not all 0 in a row of several, which would be all padding.

    Args:
        signature: that of the model.
        samples: maps the name of every input to an array, all of one length of 3 or more.

    Raises:
        ValueError: an input has a dtype that cannot be made up, such as string, or `samples`
            do not fit the inputs.
    """
    if samples is not None:
        return _given(signature, samples)
    rng = np.random.default_rng(0)
    plans = [(UNKNOWN_SIZES[0], (*SMALL_BATCHES, LARGE_BATCH))]
    if any(None in info.shape[1:] for info in signature.inputs):
        plans.append((UNKNOWN_SIZES[1], SMALL_BATCHES))
    return [
        {info.name: _made_up(rng, info, batch, size) for info in signature.inputs}
        for size, batch_sizes in plans
        for batch in batch_sizes
    ]


def rows(batch: Batch) -> int:
    """Returns the number of rows of a batch."""
    return len(next(iter(batch.values())))


def _made_up(rng, info, batch, size):
    shape = (batch, *(size if known is None else known for known in info.shape[1:]))
    kind = keras.backend.standardize_dtype(info.dtype)
    if kind.startswith(("float", "bfloat")):
        return rng.normal(1.5, 2.0, shape).astype(kind)
    if kind.startswith(("int", "uint", "bool")):
        values = rng.integers(0, 2, (batch, math.prod(shape[1:])))
        if values.shape[1] > 1:
            values[:, 0] = 1
        return values.reshape(shape).astype(kind)
    raise ValueError(
        "Verification samples can be made for number and boolean inputs only; move "
        f"preprocessing of text out of the model. Received: input {info.name!r} of dtype {kind!r}"
    )


def _given(signature, samples):
    needed = max(SMALL_BATCHES)
    wanted = {info.name: info for info in signature.inputs}
    if not isinstance(samples, Mapping) or samples.keys() != wanted.keys():
        received = sorted(samples) if isinstance(samples, Mapping) else type(samples).__name__
        raise ValueError(
            "`samples` must map the name of every input to an array. "
            f"Received: {received} for inputs {sorted(wanted)}"
        )
    try:
        arrays = {
            name: np.asarray(samples[name], None if info.dtype == "string" else info.dtype)
            for name, info in wanted.items()
        }
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`samples` must hold values of the inputs' dtypes; NumPy says: {error}. "
            f"Received: samples for {[f'{info.name} ({info.dtype})' for info in signature.inputs]}"
        ) from error
    shapes = {name: array.shape for name, array in arrays.items()}
    if len({shape[:1] for shape in shapes.values()}) != 1 or min(shapes.values()) < (needed,):
        raise ValueError(
            f"The arrays of `samples` must be of one length, at least {needed}. "
            f"Received: shapes={shapes}"
        )
    longest = min(rows(arrays), LONGEST_BATCH)
    return [
        {name: array[:size] for name, array in arrays.items()}
        for size in dict.fromkeys((*SMALL_BATCHES, longest))
    ]
