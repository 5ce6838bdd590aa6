"""Gates within a tolerance of the ends move there."""

import numpy as np
import pytest

from keras_bin.export.models.rho_tolerance import check_rho_tolerance, snap


@pytest.mark.parametrize(
    ("tolerance", "snapped"),
    [
        (0, [0.0, 0.0, 0.125, 0.5, 0.875, 1.0, 1.0]),
        (0.125, [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]),
        (0.124, [0.0, 0.0, 0.125, 0.5, 0.875, 1.0, 1.0]),
        (0.49, [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]),
    ],
    ids=["none", "at the tolerance", "just outside", "large"],
)
def test_gates_within_the_tolerance_move_to_the_end(tolerance, snapped):
    rho = np.array([-0.5, 0.0, 0.125, 0.5, 0.875, 1.0, 1.5])
    np.testing.assert_array_equal(snap(rho, tolerance), snapped)


def test_float32_gates_move_at_the_tolerance_that_was_written():
    """0.95 and 0.05 are both rounded in float32, to either side."""
    np.testing.assert_array_equal(snap(np.float32([0.05, 0.95]), 0.05), [0, 1])


@pytest.mark.parametrize(
    "tolerance", [0, 0.0, 0.25, np.float32(0.1), np.nextafter(0.5, 0)], ids=str
)
def test_tolerance_below_one_half_is_taken(tolerance):
    check_rho_tolerance(tolerance)


@pytest.mark.parametrize("tolerance", [-1e-9, 0.5, 1, np.inf, np.nan, "0.1", None], ids=repr)
def test_tolerance_out_of_range_is_refused(tolerance):
    with pytest.raises(ValueError, match=r"at least 0 and below 0\.5") as caught:
        check_rho_tolerance(tolerance)
    assert str(caught.value).endswith(f"rho_tolerance={tolerance!r}")
