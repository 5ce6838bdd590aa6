"""Moving gates within a tolerance of 0 or 1 to that end."""

import numbers
from typing import Any

import numpy as np


def snap(rho: np.ndarray, tolerance: float) -> np.ndarray:
    """Returns rho in [0, 1], with values within `tolerance` of 0 or 1 moved there.

    Args:
        rho: shape `(channels,)`.
        tolerance: at least 0, below 0.5.
    """
    rho = np.clip(rho, 0, 1)
    return np.where(rho <= tolerance, 0, np.where(rho >= 1 - tolerance, 1, rho))


def check_rho_tolerance(tolerance: Any) -> None:
    """Checks that each gate moves to the nearer of 0 and 1.

    Raises:
        ValueError: `tolerance` is not a number, is negative, or is 0.5 or above.
    """
    if not (isinstance(tolerance, numbers.Real) and 0 <= float(tolerance) < 0.5):
        raise ValueError(
            "`rho_tolerance` must be a number, at least 0 and below 0.5, so that a gate moves to "
            f"the nearer of 0 and 1. Received: rho_tolerance={tolerance!r}"
        )
