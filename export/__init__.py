"""From a trained BIN network to a folded, verified artifact."""

from keras_bin.export.errors import (
    DtypeError,
    NamesError,
    OperatorError,
    ShapeError,
    ValuesError,
    VerificationError,
)
from keras_bin.export.fold import fold, fold_report
from keras_bin.export.layer_fold import LayerFold
from keras_bin.export.onnx_file import export_onnx
from keras_bin.export.prune import prune
from keras_bin.export.report import ExportReport
from keras_bin.export.saved_model import export_saved_model
from keras_bin.export.verification import OutputCheck, Verification
from keras_bin.export.verify import verify

__all__ = [
    "DtypeError",
    "ExportReport",
    "LayerFold",
    "NamesError",
    "OperatorError",
    "OutputCheck",
    "ShapeError",
    "ValuesError",
    "Verification",
    "VerificationError",
    "export_onnx",
    "export_saved_model",
    "fold",
    "fold_report",
    "prune",
    "verify",
]
