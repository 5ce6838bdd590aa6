"""Which differences between an artifact and its model are allowed."""

import numbers
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_bin.runtimes import OPENVINO

from ..results.verification import OutputCheck
from .exact_outputs import STEADY_ROWS, STEADY_SHARE, ExactOutput

ATOL = 1e-4
RTOL = 1e-4
# Artifacts for OpenVINO lose digits in nearly constant images.
_OF_OPENVINO = 1e-2
ROUNDING_FACTOR = 4


class Tolerance(NamedTuple):
    """The rule that decides whether outputs are right.

    Attributes:
        atol: absolute tolerance, in output units.
        rtol: relative tolerance.
        follows_rounding: whether an output may also be as near to the exact result as the
            Keras model is.
    """

    atol: float
    rtol: float
    follows_rounding: bool

    def check(
        self,
        name: str,
        batch: int,
        got: np.ndarray,
        expected: np.ndarray,
        exact: Callable[[], ExactOutput | None],
    ) -> OutputCheck:
        """Compares one output on one batch.

        `keras_bin.export.verify` states the rule; rounding counts only with `follows_rounding`.

        Args:
            name: name of the output.
            batch: number of rows of the batch.
            got: what the artifact gives.
            expected: what the model gives, of the shape of `got`, finite.
            exact: returns what the model would give without rounding, or None if that is not
                known; called only if the tolerance does not suffice.
        """
        shape = expected.shape
        whole = np.issubdtype(expected.dtype, np.integer)
        got, expected = got.astype("float64"), expected.astype("float64")
        finite = np.isfinite(got)
        size = np.abs(expected)
        difference = _difference(got, expected, finite)
        relative = np.where(finite, 0.0, np.inf)
        np.divide(difference, size, out=relative, where=finite & (size > self.atol))
        excess = difference - (self.atol + (0 if whole else self.rtol * size))
        rounding, unsteady = None, 0
        if self.follows_rounding and not whole and excess.max(initial=0) > 0:
            rounding, unsteady, allowed_excess = _rounding_excess(got, finite, exact())
            excess = np.minimum(excess, allowed_excess)
        worst = None
        if excess.size:
            worst = tuple(int(i) for i in np.unravel_index(excess.argmax(), shape))
        return OutputCheck(
            name=name,
            batch=batch,
            shape=shape,
            max_abs=float(difference.max(initial=0)),
            max_rel=float(relative.max(initial=0)),
            worst=worst,
            expected=None if worst is None else float(expected[worst]),
            got=None if worst is None else float(got[worst]),
            rounding=rounding,
            passed=bool(excess.max(initial=0) <= 0),
            unsteady=unsteady,
        )

    def rule(self, unavailable: str) -> str:
        """Returns the rule for an error message.

        Args:
            unavailable: why the exact result is not known; empty if it is known.
        """
        rule = (
            f"The artifact's outputs must be finite and within atol={self.atol:g}, "
            f"rtol={self.rtol:g} of the Keras model's"
        )
        if not self.follows_rounding:
            return f"{rule}; leave both out to allow for the model's own rounding. {_ARE}"
        if unavailable:
            return (
                f"{rule}. The model's own rounding is not known, as {unavailable}. If its outputs "
                f"are large, pass an `atol` that suits them. {_ARE}"
            )
        return (
            f"{rule}, or about as near to the exact result as the model's are: within "
            f"{ROUNDING_FACTOR} times its rounding, if that is at most {STEADY_SHARE:.2%} of "
            f"the largest output on {STEADY_ROWS} rows or more. {_ARE}"
        )


_ARE = "If the model never meets such inputs, pass typical ones as `samples`. The differences are:"


def tolerance_of(atol: float | None, rtol: float | None, runtime: str) -> Tolerance:
    """Returns the tolerance for an artifact written for a runtime; None stands for the default."""
    default_atol, default_rtol = (ATOL, RTOL) if runtime != OPENVINO else (_OF_OPENVINO,) * 2
    return Tolerance(
        default_atol if atol is None else float(atol),
        default_rtol if rtol is None else float(rtol),
        follows_rounding=atol is None and rtol is None,
    )


def check_tolerances(atol: float | None, rtol: float | None) -> None:
    """Checks that tolerances can be both met and missed; None stands for the default.

    Raises:
        ValueError: one of them is negative or not finite.
    """
    given = [value for value in (atol, rtol) if value is not None]
    if not all(isinstance(value, numbers.Real) and 0 <= value < np.inf for value in given):
        raise ValueError(
            "`atol` and `rtol` must be finite numbers from 0 up, or None for the default. "
            f"Received: atol={atol!r}, rtol={rtol!r}"
        )


def _rounding_excess(got, finite, exact):
    """Returns the rounding, the number of unsteady rows, and how far `got` exceeds the limit."""
    if exact is None:
        return None, 0, np.full(got.shape, np.inf)
    steady = exact.rounding[~exact.unsteady]
    rounding = float((steady if steady.size else exact.rounding).max(initial=0))
    unsteady = int(exact.unsteady.sum())
    if not exact.is_known:
        return rounding, unsteady, np.full(got.shape, np.inf)
    excess = _difference(got, exact.values, finite) - ROUNDING_FACTOR * exact.by_row()
    return rounding, unsteady, excess


def _difference(first, second, finite):
    """Returns absolute differences, infinite where not finite."""
    difference = np.full(second.shape, np.inf)
    np.subtract(first, second, out=difference, where=finite)
    return np.abs(difference)
