"""From a trained BIN network to a folded, verified artifact."""

from .folding.fold import fold, fold_report
from .onnx_files.writer import export_onnx
from .quantizing.quantize import quantize_onnx
from .results.errors import (
    DtypeError,
    NamesError,
    OperatorError,
    ShapeError,
    ValuesError,
    VerificationError,
)
from .results.layer_report import LayerFold
from .results.quantization_report import QuantizationReport
from .results.report import ExportReport
from .results.verification import OutputCheck, Verification
from .saved_models.prune import prune
from .saved_models.writer import export_saved_model
from .verifying.verify import verify

__all__ = [
    "DtypeError",
    "ExportReport",
    "LayerFold",
    "NamesError",
    "OperatorError",
    "OutputCheck",
    "QuantizationReport",
    "ShapeError",
    "ValuesError",
    "Verification",
    "VerificationError",
    "export_onnx",
    "export_saved_model",
    "fold",
    "fold_report",
    "prune",
    "quantize_onnx",
    "verify",
]
