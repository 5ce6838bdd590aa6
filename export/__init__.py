"""From a trained BIN network to a folded, verified artifact."""

from keras_bin.export.errors import (
    DtypeError,
    NamesError,
    OperatorError,
    ShapeError,
    ValuesError,
    VerificationError,
)
from keras_bin.export.fold import fold
from keras_bin.export.onnx_file import export_onnx
from keras_bin.export.report import ExportReport
from keras_bin.export.saved_model import export_saved_model
from keras_bin.export.verify import Differences, verify

__all__ = [
    "Differences",
    "DtypeError",
    "ExportReport",
    "NamesError",
    "OperatorError",
    "ShapeError",
    "ValuesError",
    "VerificationError",
    "export_onnx",
    "export_saved_model",
    "fold",
    "verify",
]
