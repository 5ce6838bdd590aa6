"""How far the outputs of an int8 file are from those of the file in float."""

import collections
from collections.abc import Sequence

import numpy as np

from keras_bin.sampling.trial import Batch

from .running import Run


def relative_errors(expected: Run, got: Run, batches: Sequence[Batch]) -> dict[str, float]:
    """Returns the relative error of each output over all batches.

    This is the norm of the difference over the norm of the expected output or, for outputs that
    are not floats, the share of the elements that differ. It is infinite if one is not finite.

    Args:
        expected: runs the file in float.
        got: runs the file in int8.
        batches: batches of inputs.
    """
    differences: dict[str, float] = collections.defaultdict(float)
    sizes: dict[str, float] = collections.defaultdict(float)
    powers: dict[str, float] = {}
    for batch in batches:
        found = got(batch)
        for name, values in expected(batch).items():
            difference, size, powers[name] = _difference(
                np.asarray(values), np.asarray(found[name])
            )
            differences[name] += difference
            sizes[name] += size
    return {name: _ratio(differences[name], sizes[name]) ** power for name, power in powers.items()}


def _difference(expected, got):
    """Returns a sum over the differences, one over the expected values, and the power to take.

    The sums are sums of squares, or counts for values that are not floats. The error is their
    quotient to that power.
    """
    if got.shape != expected.shape:
        return np.inf, 1.0, 1.0
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.sum(got != expected)), float(expected.size), 1.0
    expected, got = expected.astype("float64"), got.astype("float64")
    difference = float(np.sum(np.square(got - expected)))
    size = float(np.sum(np.square(expected)))
    return difference if np.isfinite(difference + size) else np.inf, size, 0.5


def _ratio(difference, size):
    if not difference:
        return 0.0
    return difference / size if size and np.isfinite(difference) else np.inf
