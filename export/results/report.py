"""What an export did."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

from keras_bin.gates.summaries import RhoSummary
from keras_bin.tables import Table

from .layer_report import LayerFold, absorbed, counts, fold_table, folded
from .plain import plain
from .verification import Verification


@dataclass(frozen=True)
class ExportReport:
    """What was written, how it differs from the Keras model, and what became of each layer.

    Attributes:
        path: the SavedModel's version directory, or the ONNX file.
        layers: a `LayerFold` for each normalization layer, from input to output.
        verification: the `Verification` of what was written.
        rho: a `RhoSummary` for each BIN layer, of the gates that were exported.
        seconds: wall-clock time of tracing, folding, writing and verifying. If one command writes
            two formats, the work that they share counts for the first.
        cast_to_float32: whether the model is half-precision and the artifact float32.
        size: total size of the files of the artifact, in bytes: a SavedModel's folder, or an ONNX
            file and the one with its weights.
        snapping_difference: largest absolute change of an output that results from clipping gates
            to [0, 1] and moving them to its ends, or None if no gate changed.
        inner_transposes: number of transposes inside an ONNX file that a better layout would
            avoid; None for a SavedModel.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_onnx
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = export_onnx(model, f"{folder}/model.onnx", verbose=False)
    >>> report.layers[0].became, report.rho[0].mean, report.inner_transposes
    ('affine map', 1.0, 0)
    >>> report.max_abs_difference < report.atol
    True
    """

    path: Path
    layers: tuple[LayerFold, ...]
    verification: Verification
    rho: tuple[RhoSummary, ...]
    seconds: float
    cast_to_float32: bool
    size: int
    snapping_difference: float | None = None
    inner_transposes: int | None = None

    @property
    def layers_folded(self) -> int:
        """Number of BIN layers that became constants."""
        return folded(self.layers)

    @property
    def batch_normalizations(self) -> int:
        """Number of BatchNormalization layers."""
        return absorbed(self.layers)[1]

    @property
    def batch_normalizations_absorbed(self) -> int:
        """Number of BatchNormalization layers that the layers before them absorbed."""
        return absorbed(self.layers)[0]

    @property
    def max_abs_difference(self) -> float:
        """Largest absolute difference of any output, in output units."""
        return self.verification.max_abs

    @property
    def max_rel_difference(self) -> float:
        """Largest difference relative to the expected value, where that is above `atol`."""
        return self.verification.max_rel

    @property
    def atol(self) -> float:
        """Absolute tolerance of the verification."""
        return self.verification.atol

    @property
    def rtol(self) -> float:
        """Relative tolerance of the verification."""
        return self.verification.rtol

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold."""
        return {
            "path": str(self.path),
            "size": self.size,
            "seconds": self.seconds,
            "cast_to_float32": self.cast_to_float32,
            "layers_folded": self.layers_folded,
            "batch_normalizations": self.batch_normalizations,
            "batch_normalizations_absorbed": self.batch_normalizations_absorbed,
            "layers": plain(self.layers),
            "rho": plain(self.rho),
            "snapping_difference": self.snapping_difference,
            "inner_transposes": self.inner_transposes,
            "verification": self.verification.as_dict(),
        }

    @property
    def summary(self) -> str:
        """The report in one line."""
        cast = ", cast to float32" if self.cast_to_float32 else ""
        rounding = ", or the model's rounding" if self.verification.used_rounding else ""
        changed = ""
        if self.snapping_difference is not None:
            gates = [
                f"{sum(getattr(layer, kind) for layer in self.layers)} gates {kind}"
                for kind in ("clipped", "snapped")
                if any(getattr(layer, kind) for layer in self.layers)
            ]
            cost = f"changes outputs by {self.snapping_difference:.1e}"
            changed = f" ({', '.join(gates).replace('snapped', 'moved')}, which {cost})"
        transposes = ""
        if self.inner_transposes:
            transposes = f"; transposes inside: {self.inner_transposes}"
        return (
            f"{self.path}: {counts(self.layers)}{changed}{cast}; largest "
            f"difference {self.max_abs_difference:.1e} absolute, "
            f"{self.max_rel_difference:.1e} relative "
            f"(allowed: {self.atol:g} + {self.rtol:g} * value{rounding}){transposes}; "
            f"{self.seconds:.1f} s"
        )

    def __str__(self) -> str:
        """Returns the summary, and a line for each layer that says why it was not absorbed."""
        reasons = [f"  {layer.layer}: {layer.reason}" for layer in self.layers if layer.reason]
        return "\n".join([self.summary, *reasons])

    def __rich__(self) -> RichTable:
        return self._table().rich()

    def _repr_html_(self) -> str:
        layers = self._table().html() if self.layers else ""
        return f"<p>{escape(self.summary)}</p>{layers}{self.verification._repr_html_()}"

    def _table(self) -> Table:
        return fold_table("What became of each normalization layer", self.layers)
