"""What every export starts from: the folded model and the values it must have."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from keras_bin.export.folding.folding import Folding
from keras_bin.export.folding.graph import as_functional
from keras_bin.export.folding.precision import is_half_precision
from keras_bin.export.report import ExportReport
from keras_bin.export.signature import model_signature
from keras_bin.export.verifying.expected import expected_outputs
from keras_bin.export.verifying.samples import sample_batches
from keras_bin.export.verifying.verification import Verification
from keras_bin.export.verifying.verify import reference
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.gates import rho_summary


class ExportSource:
    """A model in the two forms that an export needs.

    Args:
        model: the model to export.
        rho_tolerance: see `fold`.
        layer_class: what folded layers become, a subclass of the default.

    Attributes:
        folded: what is written.
        reference: the unfolded model that what was written is compared with.
        layers: what became of each normalization layer.
        rho: the gates of each BIN layer, as they are exported.
    """

    def __init__(
        self,
        model: keras.Model,
        rho_tolerance: float = 0.0,
        layer_class: type = FoldedBatchInstanceNormalization,
    ):
        model = as_functional(model)
        self._half = is_half_precision(model)
        if self._half:
            warnings.warn(
                f"Model {model.name!r} computes in half precision; it is exported in float32.",
                stacklevel=3,
            )
        folding = Folding(model, rho_tolerance, layer_class)
        self.folded = folding.model
        self.layers = tuple(folding.layers)
        self.reference = reference(model, rho_tolerance)
        self.rho = tuple(rho_summary(self.reference))
        self._unsnapped = reference(model) if any(fold.snapped for fold in self.layers) else None

    def snapping_difference(self, samples: Mapping[str, np.ndarray] | None) -> float | None:
        """Returns what moving gates changes in the outputs, at most, or None if none moved.

        Args:
            samples: see `keras_bin.export.verify`.
        """
        if self._unsnapped is None:
            return None
        signature = model_signature(self.reference)
        largest = 0.0
        for batch in sample_batches(signature, samples, self.reference):
            moved = expected_outputs(self.reference, signature, batch)
            for name, values in expected_outputs(self._unsnapped, signature, batch).items():
                # float64 also for booleans, and for integers that would overflow
                difference = values.astype("float64") - moved[name]
                largest = max(largest, np.abs(difference).max(initial=0.0))
        return float(largest)

    def report(
        self,
        path: Path,
        found: Verification,
        snapping_difference: float | None,
        seconds: float,
    ) -> ExportReport:
        """Sums up an export that was written to `path`."""
        return ExportReport(
            path=path,
            layers=self.layers,
            verification=found,
            rho=self.rho,
            snapping_difference=snapping_difference,
            seconds=seconds,
            cast_to_float32=self._half,
        )
