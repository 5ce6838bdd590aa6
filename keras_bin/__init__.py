"""Batch-Instance Normalization (BIN) for Keras 3.

Source: Nam & Kim, NeurIPS 2018, https://arxiv.org/abs/1805.07925.
"""

from keras_bin.constraint import SettledRho, UnitInterval
from keras_bin.conversion.convert import (
    conversion_report,
    convert_batch_normalization,
    revert_to_batch_normalization,
)
from keras_bin.conversion.report import LayerConversion
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.gates.finding import rho_weights
from keras_bin.gates.history import RhoHistory
from keras_bin.gates.plots import plot_rho
from keras_bin.gates.summaries import RhoSummary, rho_summary
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.recalibration.recalibrate import recalibrate
from keras_bin.settling.callback import SettleRho
from keras_bin.settling.penalty import InstancePenalty
from keras_bin.settling.rounds import SettledLayer
from keras_bin.settling.trained import settle_rho
from keras_bin.settling.worth import RhoWorth, rho_worth
from keras_bin.torch_weights.loading import LoadedTorchWeights, load_torch_state_dict
from keras_bin.training.loops import apply_gradients, stateless_apply
from keras_bin.training.model import BINModel
from keras_bin.unscaled import UnscaledRhoWarning

__version__ = "0.3.0"

__all__ = [
    "BINModel",
    "BatchInstanceNormalization",
    "FoldedBatchInstanceNormalization",
    "InstancePenalty",
    "LayerConversion",
    "LoadedTorchWeights",
    "RhoHistory",
    "RhoSummary",
    "RhoWorth",
    "SettleRho",
    "SettledLayer",
    "SettledRho",
    "UnitInterval",
    "UnscaledRhoWarning",
    "apply_gradients",
    "conversion_report",
    "convert_batch_normalization",
    "load_torch_state_dict",
    "plot_rho",
    "recalibrate",
    "revert_to_batch_normalization",
    "rho_summary",
    "rho_weights",
    "rho_worth",
    "settle_rho",
    "stateless_apply",
]
