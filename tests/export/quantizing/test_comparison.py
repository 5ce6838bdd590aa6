"""Relative errors of outputs."""

import numpy as np
import pytest

from keras_bin.export.quantizing.comparison import relative_errors


def errors(expected, got):
    """Compares two lists of arrays, one for each batch."""
    return relative_errors(
        lambda n: {"y": np.asarray(expected[n])},
        lambda n: {"y": np.asarray(got[n])},
        range(len(expected)),
    )["y"]


@pytest.mark.parametrize(
    ("expected", "got", "error"),
    [
        ([[3.0, 4.0]], [[3.0, 4.0]], 0),
        ([[3.0, 4.0]], [[3.0, 5.0]], 0.2),
        ([[3.0], [4.0]], [[3.0], [5.0]], 0.2),  # over all batches
        ([[0.0]], [[0.0]], 0),
        ([[0.0]], [[1.0]], np.inf),
        ([[1.0]], [[np.nan]], np.inf),
        ([[1.0]], [[np.inf]], np.inf),
        ([[1, 2], [3, 4]], [[1, 3], [3, 4]], 0.25),  # integers: the share that differs
        ([[1, 2]], [[1, 2]], 0),
    ],
)
def test_error_is_a_share(expected, got, error):
    assert errors(expected, got) == pytest.approx(error)
