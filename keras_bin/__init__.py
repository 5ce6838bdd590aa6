"""Batch-Instance Normalization (BIN) for Keras 3.

Source: Nam & Kim, NeurIPS 2018, https://arxiv.org/abs/1805.07925.
"""

from keras_bin.constraint import UnitInterval
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.gate_summaries import RhoSummary, plot_rho, rho_summary
from keras_bin.gates import rho_weights
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.model import BINModel

__version__ = "0.1.0"

__all__ = [
    "BINModel",
    "BatchInstanceNormalization",
    "FoldedBatchInstanceNormalization",
    "RhoSummary",
    "UnitInterval",
    "plot_rho",
    "rho_summary",
    "rho_weights",
]
