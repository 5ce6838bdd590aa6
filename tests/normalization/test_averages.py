"""Averages are taken in short sums."""

import pytest

from keras_bin.normalization.averages import _factors


@pytest.mark.parametrize(
    ("elements", "factors"),
    [
        (25, (25,)),
        (67, (67,)),
        (196, (49, 4)),
        (256, (64, 4)),
        (784, (49, 16)),
        (3136, (196, 16)),
        (16384, (64, 16, 16)),
        (113 * 113, ()),
        (0, ()),
    ],
)
def test_means_are_taken_in_short_sums(elements, factors):
    assert _factors(elements) == factors
