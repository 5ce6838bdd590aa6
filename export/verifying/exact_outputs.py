"""What a model computes without rounding."""

import functools
from typing import NamedTuple

import numpy as np

from keras_bin.networks.state import restored
from keras_bin.sampling.batches import rows
from keras_bin.sampling.trial import Batch

from .reference import Reference
from .sensitivity import largest_by_row, moved_by

STEADY_SHARE = 0.0025
STEADY_ROWS = 3
MOST_ELEMENTS = 2**19
# In the last place of float32. Inputs move by this many to find the steady rows, as every layer of
# a deep network adds some rounding.
UNITS = 8
MOVE = UNITS * 2.0**-23


class ExactOutput(NamedTuple):
    """One output on one batch without rounding, and what rounding does to it.

    A row, one sample of a batch, is steady if rounding moves its output by at most 0.25 % of its
    largest value, or by no more than it moves other steady rows.

    Attributes:
        values: the output, float64.
        rounding: how far rounding may move each row: as far as it does, or as far as it moves
            other steady rows, up to 0.25 % of the row's largest value. For a row that is not
            steady, as far as it moves any row.
        unsteady: bool for each row; True if the row is not steady.
        is_known: whether at least 3 rows of all batches are steady and not 0.
    """

    values: np.ndarray
    rounding: np.ndarray
    unsteady: np.ndarray
    is_known: bool

    def by_row(self) -> np.ndarray:
        """Returns `rounding` in a shape that broadcasts with the values."""
        return self.rounding.reshape(-1, *[1] * (self.values.ndim - 1))


class ExactOutputs:
    """The outputs of a model's graph in float64; it is traced when it is first needed.

    Args:
        reference: the model.
        batches: all batches that the model is compared on.
        expected: what the model computes on each of them.

    Attributes:
        unavailable: why there are no exact outputs; empty unless computing them failed.
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

    def of(self, index: int, name: str, moved: bool = False) -> ExactOutput | None:
        """Returns one output for one of the batches, or None if it cannot be computed.

        Args:
            index: index of the batch.
            name: name of the output.
            moved: whether to count how far exact outputs move when inputs move, too, as the
                model's own rounding may be small by chance: moves of two units in the last place
                count as rounding, and moves of 8 units find the steady rows.
        """
        exact, differences = self._exact
        if self.unavailable:
            return None
        found = differences[name]
        if moved:
            pairs = zip(found, self._moved[name], strict=True)
            found = [
                own._replace(
                    rounding=np.maximum(own.rounding, 2 * by / UNITS),
                    moved=np.maximum(own.moved, by),
                )
                for own, by in pairs
            ]
        return _exact_output(exact[index][name], found[index], found)

    @functools.cached_property
    def _exact(self):
        """Returns outputs by batch, and `_Rows` by name and batch; sets the reason if none."""
        exact = []
        try:
            self._run = self._reference.exact_function()
            exact = self._run_all(self._batches)
        except Exception as error:  # in another precision, an operator may fail in any way
            self.unavailable = f"the model does not run in float64: {error}"
            return [], {}
        found = {info.name: [] for info in self._reference.exported.signature.outputs}
        for batch, precise, expected in zip(self._batches, exact, self._expected, strict=True):
            for name, values in expected.items():
                values, precise[name] = (x.astype("float64") for x in (values, precise[name]))
                if precise[name].shape != values.shape or not np.isfinite(precise[name]).all():
                    self.unavailable = f"its output {name!r} is not the same in float64"
                    return [], {}
                rounding = largest_by_row(precise[name] - values, rows(batch))
                found[name].append(_Rows(rounding, rounding, largest_by_row(values, rows(batch))))
        return exact, found

    def _run_all(self, batches):
        """Runs all batches one after the other, and restores counts and seeds afterwards."""
        with restored(self._reference.exported.model):
            return [self._run_in_parts(batch) for batch in batches]

    def _run_in_parts(self, batch):
        """Runs few rows at a time if they are large, as float64 convolutions take much memory.

        A model whose rows depend on each other then computes something else. This counts as
        rounding, but as too much of it to allow anything.
        """
        size = sum(values[:1].size for values in batch.values())
        together = max(1, MOST_ELEMENTS // max(size, 1))
        if rows(batch) <= together:
            return self._run(batch)
        parts = [
            self._run({name: values[start : start + together] for name, values in batch.items()})
            for start in range(0, rows(batch), together)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @functools.cached_property
    def _moved(self):
        """Returns how far exact rows move with their inputs, by name and batch."""
        exact, _ = self._exact
        by_batch = moved_by(self._run_all, self._batches, exact, MOVE)
        return {name: [found[name] for found in by_batch] for name in exact[0]}


class _Rows(NamedTuple):
    """What is known about the rows of an output on a batch; all in output units.

    Attributes:
        rounding: how far rounding moves them.
        moved: how far several roundings at once may move them.
        size: their largest values.
    """

    rounding: np.ndarray
    moved: np.ndarray
    size: np.ndarray


def _exact_output(values, of_batch, of_all):
    rounding, moved, size = (np.concatenate(parts) for parts in zip(*of_all, strict=True))
    steady = moved <= STEADY_SHARE * size
    most = rounding[steady].max(initial=0)
    unsteady = of_batch.moved > np.fmax(most, STEADY_SHARE * of_batch.size)
    own = np.fmax(of_batch.rounding, np.fmin(most, STEADY_SHARE * of_batch.size))
    return ExactOutput(
        values,
        np.where(unsteady, moved.max(initial=0), own),
        unsteady,
        is_known=np.count_nonzero(steady & (size > 0)) >= STEADY_ROWS,
    )
