"""What a model computes without rounding."""

import functools
from typing import NamedTuple

import numpy as np

from keras_bin.export.verifying.reference import Reference
from keras_bin.export.verifying.trial import Batch


class ExactOutput(NamedTuple):
    """One output without rounding, and what rounding does to it.

    Attributes:
        values: the output on one batch, float64.
        rounding: largest absolute difference of the model's output from that, over all
            batches.
        largest: largest absolute value of the model's output, over all batches.
    """

    values: np.ndarray
    rounding: float
    largest: float


class ExactOutputs:
    """The outputs of a model's graph in float64, which is made when it is first needed.

    Args:
        reference: the model.
        batches: all batches that the model is compared on.
        expected: what the model computes on each of them.

    Attributes:
        unavailable: why there are no exact outputs; empty while none have failed.
    """

    def __init__(
        self,
        reference: Reference,
        batches: list[Batch],
        expected: list[dict[str, np.ndarray]],
    ):
        self._reference = reference
        self._batches = batches
        self._expected = expected
        self.unavailable = ""

    def of(self, index: int, name: str) -> ExactOutput | None:
        """Returns one output for one of the batches, or None if it cannot be computed."""
        exact, roundings = self._exact
        if self.unavailable:
            return None
        return ExactOutput(exact[index][name], *roundings[name])

    @functools.cached_property
    def _exact(self):
        """Returns outputs by batch, and `(rounding, largest)` by name; states a reason if none."""
        names = [info.name for info in self._reference.signature.outputs]
        found, exact = {name: np.zeros(2) for name in names}, []
        try:
            run = self._reference.exact_function()
            exact = [run(batch) for batch in self._batches]
        except Exception as error:  # an operator may fail in any way in a precision not its own
            self.unavailable = f"the model does not run in float64: {error}"
            return [], {}
        for precise, expected in zip(exact, self._expected, strict=True):
            for name, values in expected.items():
                values, precise[name] = (x.astype("float64") for x in (values, precise[name]))
                if precise[name].shape != values.shape or not np.isfinite(precise[name]).all():
                    self.unavailable = f"its output {name!r} is not the same in float64"
                    return [], {}
                largest = (
                    np.abs(precise[name] - values).max(initial=0),
                    np.abs(values).max(initial=0),
                )
                found[name] = np.maximum(found[name], largest)
        return exact, {name: tuple(map(float, pair)) for name, pair in found.items()}
