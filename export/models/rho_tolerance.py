"""Gates within a tolerance of 0 or 1, which an export moves there."""

import numbers

import numpy as np


def snap(rho, tolerance: float) -> np.ndarray:
    """Returns rho in [0, 1], with values within `tolerance` of 0 or 1 moved there.

    Args:
        rho: shape `(channels,)`.
        tolerance: from 0 up, below 0.5.
    """
    rho = np.clip(rho, 0, 1)
    return np.where(rho <= tolerance, 0, np.where(rho >= 1 - tolerance, 1, rho))


def check_rho_tolerance(tolerance: float) -> None:
    """Checks that gates are moved to the nearer end.

    Raises:
        ValueError: `tolerance` is negative, 0.5 or above, or no number.
    """
    if not (isinstance(tolerance, numbers.Real) and 0 <= tolerance < 0.5):
        raise ValueError(
            "`rho_tolerance` must be a number from 0 up and below 0.5, so that a gate moves to "
            f"the nearer of 0 and 1. Received: rho_tolerance={tolerance!r}"
        )
