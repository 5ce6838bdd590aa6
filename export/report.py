"""What an export did."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how far it is from the Keras model.

    Attributes:
        path: the SavedModel's version directory, or the ONNX file.
        layers_folded: number of BIN layers that became constants.
        max_abs_difference: largest absolute difference of any output, in output units.
        max_rel_difference: largest difference relative to the expected value, where that
            value is above `atol`.
        atol: absolute tolerance of the verification.
        rtol: relative tolerance of the verification.
        seconds: wall-clock time of folding, writing and verifying.
        cast_to_float32: whether the model was half precision and the artifact is float32.
    """

    path: Path
    layers_folded: int
    max_abs_difference: float
    max_rel_difference: float
    atol: float
    rtol: float
    seconds: float
    cast_to_float32: bool

    def __str__(self) -> str:
        cast = ", cast to float32" if self.cast_to_float32 else ""
        return (
            f"{self.path}: BIN layers folded: {self.layers_folded}{cast}; largest difference "
            f"{self.max_abs_difference:.1e} absolute, {self.max_rel_difference:.1e} relative "
            f"(allowed: {self.atol:g} + {self.rtol:g} * value); {self.seconds:.1f} s"
        )
