"""From a trained BIN network to a folded, verified artifact."""

from keras_bin.export.errors import (
    DtypeError,
    NamesError,
    OperatorError,
    ShapeError,
    ValuesError,
    VerificationError,
)
from keras_bin.export.folding.fold import fold, fold_report
from keras_bin.export.folding.layer_fold import LayerFold
from keras_bin.export.onnx_files.onnx_file import export_onnx
from keras_bin.export.report import ExportReport
from keras_bin.export.saved_models.prune import prune
from keras_bin.export.saved_models.saved_model import export_saved_model
from keras_bin.export.verifying.verification import OutputCheck, Verification
from keras_bin.export.verifying.verify import verify

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
