"""What a comparison of an artifact with its model found."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.table import Table as RichTable

from keras_bin.tables import Table

from .plain import plain


class OutputCheck(NamedTuple):
    """One output on one batch of samples.

    Attributes:
        name: the key the output is read by.
        batch: number of rows of the batch.
        shape: shape of the output, the batch axis first.
        max_abs: largest absolute difference, in output units; infinite where a value is not
            finite.
        max_rel: largest absolute difference over the absolute expected value, where that
            value is above `atol`.
        worst: index of the element that exceeds the tolerance by the most, or comes closest to it;
            None for an output without elements.
        expected: value of the Keras model there.
        got: value of the artifact there.
        rounding: largest change of this output caused by rounding in the Keras model, on the rows
            of the batch that are not unsteady; None if it was not measured.
        passed: whether every element is right.
        unsteady: number of rows on which rounding alone changes the Keras model by more than
            0.25 % of its largest value there, if that was measured. They tell little about an
            artifact, and may differ by 4 times the largest rounding of any row.

    Example:
    >>> from keras_bin.export import OutputCheck
    >>> print(OutputCheck("y", 1, (1, 2), 1e-6, 2e-6, (0, 1), 0.5, 0.500001, None, True))
    'y', batch of 1: largest absolute difference 1e-06, relative 2e-06; worst at (0, 1):
    expected 0.5, got 0.500001
    """

    name: str
    batch: int
    shape: tuple[int, ...]
    max_abs: float
    max_rel: float
    worst: tuple[int, ...] | None
    expected: float | None
    got: float | None
    rounding: float | None
    passed: bool
    unsteady: int = 0

    def __str__(self) -> str:
        where = (
            ""
            if self.worst is None
            else (f"; worst at {self.worst}: expected {self.expected:.9g}, got {self.got:.9g}")
        )
        rounding = "" if self.rounding is None else f"; rounding of the model {self.rounding:.3g}"
        if self.unsteady:
            rounding += f", and more on {self.unsteady} rows"
        return (
            f"{self.name!r}, batch of {self.batch}: largest absolute difference "
            f"{self.max_abs:.3g}, relative {self.max_rel:.3g}{where}{rounding}"
        )


@dataclass(frozen=True)
class Verification:
    """How much an artifact differs from its model, for every output on every batch of samples.

    Attributes:
        outputs: an `OutputCheck` for each batch and output, in that order.
        atol: absolute tolerance.
        rtol: relative tolerance.

    Example:
    >>> from keras_bin.export import OutputCheck, Verification
    >>> check = OutputCheck("y", 1, (1, 2), 1e-6, 2e-6, (0, 1), 0.5, 0.500001, None, True)
    >>> found = Verification((check,), atol=1e-4, rtol=1e-4)
    >>> found.passed, found.max_abs, found.samples
    (True, 1e-06, 1)
    """

    outputs: tuple[OutputCheck, ...]
    atol: float
    rtol: float

    @property
    def passed(self) -> bool:
        """Whether every output is right on every batch."""
        return all(check.passed for check in self.outputs)

    @property
    def max_abs(self) -> float:
        """Largest absolute difference of any output, in output units."""
        return max((check.max_abs for check in self.outputs), default=0.0)

    @property
    def max_rel(self) -> float:
        """Largest relative difference, where the expected value is above `atol`."""
        return max((check.max_rel for check in self.outputs), default=0.0)

    @property
    def samples(self) -> int:
        """Number of batches of samples that were compared."""
        return sum(check.name == self.outputs[0].name for check in self.outputs)

    @property
    def used_rounding(self) -> bool:
        """Whether an output is right within the Keras model's rounding, not the tolerance."""
        return any(check.passed and check.rounding is not None for check in self.outputs)

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold; numbers that are not finite become text."""
        return {
            "passed": self.passed,
            "samples": self.samples,
            "max_abs": plain(self.max_abs),
            "max_rel": plain(self.max_rel),
            "atol": self.atol,
            "rtol": self.rtol,
            "outputs": plain(self.outputs),
        }

    def __str__(self) -> str:
        """Returns the comparison as a plain-text table."""
        return str(self._table())

    def __rich__(self) -> RichTable:
        return self._table().rich({"right": "green", "wrong": "red"})

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> Table:
        rounding = ", or the model's rounding" if self.used_rounding else ""
        figures = ("absolute", "relative", "worst at", "expected", "got", "rounding")
        return Table(
            "Difference from the Keras model "
            f"(allowed: {self.atol:g} + {self.rtol:g} * value{rounding})",
            {"output": False, "shape": False, **dict.fromkeys(figures, True), "": False},
            [_row(check) for check in self.outputs],
        )


def _row(check: OutputCheck) -> tuple[str, ...]:
    return (
        check.name,
        _sizes(check.shape),
        f"{check.max_abs:.2g}",
        f"{check.max_rel:.2g}",
        "" if check.worst is None else _sizes(check.worst),
        *("" if x is None else f"{x:.6g}" for x in (check.expected, check.got)),
        _rounding(check),
        "right" if check.passed else "wrong",
    )


def _rounding(check: OutputCheck) -> str:
    text = "" if check.rounding is None else f"{check.rounding:.2g}"
    return f"{text}, more on {check.unsteady} rows" if check.unsteady else text


def _sizes(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))
