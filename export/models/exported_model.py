"""A model that is exported, and the gates that it is exported with."""

import copy

import keras

from keras_bin.networks.graph import as_functional
from keras_bin.networks.half_precision import is_half_precision
from keras_bin.networks.signature import model_signature

from .exported_gates import ExportedGates


class ExportedModel:
    """What every export of a model starts from.

    Args:
        model: a built Keras model; see `keras_bin.networks.graph.as_functional`.
        rho_tolerance: see `fold`; None leaves every rho as it is.

    Raises:
        ValueError: what `model` is called on is not known, an output has no name or that of an
            input, or a rho is not finite.

    Attributes:
        model: a Functional model over the same layers.
        signature: the signature of an artifact.
        rho_tolerance: see above.
        gates: the `ExportedGates` that are in force.
        is_half: whether the model computes in half precision.
    """

    def __init__(self, model: keras.Model, rho_tolerance: float | None = 0.0):
        self.model = as_functional(model)
        self.signature = model_signature(self.model)
        self.rho_tolerance = rho_tolerance
        self.gates = ExportedGates(self.model, rho_tolerance)
        self.is_half = is_half_precision(self.model)

    def with_rho_tolerance(self, rho_tolerance: float | None) -> "ExportedModel":
        """Returns the same model with other gates."""
        other = copy.copy(self)
        other.rho_tolerance = rho_tolerance
        other.gates = ExportedGates(self.model, rho_tolerance)
        return other
