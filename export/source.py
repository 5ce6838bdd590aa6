"""What every export starts from: a model, and the values that its artifact must have."""

import warnings
from pathlib import Path

import keras
import numpy as np

from .models.state import unchanged
from .results.layer_report import LayerFold
from .results.report import ExportReport
from .results.verification import Verification
from .sampling.trial import Batch
from .verifying.reference import Reference


class ExportSource:
    """A model that is exported, and what is reported of it.

    Args:
        model: the model to export.
        rho_tolerance: see `fold`.

    Raises:
        ValueError: see `Reference`.

    Attributes:
        reference: the model, whose values an artifact must have.
        rho: the gates of each BIN layer, as they are exported.
    """

    def __init__(self, model: keras.Model, rho_tolerance: float = 0.0):
        self.reference = Reference(model, rho_tolerance)
        self.rho = self.reference.gates.summaries()
        if self.reference.is_half:
            warnings.warn(
                f"Model {model.name!r} computes in half precision; it is exported in float32.",
                stacklevel=3,
            )

    def snapping_difference(self, batches: list[Batch]) -> float | None:
        """Returns what changing gates does to the outputs, at most, or None if none changed.

        Text has no difference.

        Args:
            batches: what `Reference.batches` returns.

        Raises:
            ValueError: see `Reference.outputs`, for the model with its gates as they are.
            ValuesError: likewise.
        """
        if not self.reference.gates.changed:
            return None
        own = Reference(self.reference.model, None)
        largest = 0.0
        for batch in batches:
            moved = self._outputs(self.reference, batch)
            for name, values in self._outputs(own, batch).items():
                if values.dtype.kind in "OSU":  # text
                    continue
                # float64 also for booleans, and for integers that would overflow
                difference = values.astype("float64") - moved[name]
                largest = max(largest, np.abs(difference).max(initial=0.0))
        return float(largest)

    def _outputs(self, reference, batch):
        """Runs from the same counts and seeds each time."""
        with unchanged(self.reference.model):
            return reference.outputs(batch)

    def report(
        self,
        path: Path,
        layers: tuple[LayerFold, ...],
        found: Verification,
        snapping_difference: float | None,
        seconds: float,
        size: int,
        inner_transposes: int | None = None,
    ) -> ExportReport:
        """Sums up an export that was written to `path`."""
        return ExportReport(
            path=path,
            layers=layers,
            verification=found,
            rho=self.rho,
            snapping_difference=snapping_difference,
            inner_transposes=inner_transposes,
            seconds=seconds,
            size=size,
            cast_to_float32=self.reference.is_half,
        )
