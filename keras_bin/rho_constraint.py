"""What stands in a rho's `constraint`: the layer's own, and the mark of a rho."""

from collections.abc import Callable
from typing import Any

import keras


class RhoConstraint(keras.constraints.Constraint):
    """Applies another constraint, and marks its variable as a rho.

    Args:
        constraint: the layer's own `rho_constraint`, or None.
    """

    def __init__(self, constraint: Callable[[Any], Any] | None):
        self._constraint = constraint

    def __call__(self, w: Any) -> Any:
        """Returns what the other constraint makes of `w`."""
        return w if self._constraint is None else self._constraint(w)


def is_rho(variable: Any) -> bool:
    """Tells whether a variable is the rho of a BIN layer."""
    return isinstance(getattr(variable, "constraint", None), RhoConstraint)
