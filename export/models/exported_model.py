"""A model to export, and the gates that it is exported with."""

import copy
import re

import keras

from keras_bin.keras_internals import layers_inside
from keras_bin.networks.graph import as_functional
from keras_bin.networks.half_precision import is_half_precision
from keras_bin.networks.signature import model_signature
from keras_bin.networks.tensor_names import Names

from .exported_gates import ExportedGates

# What TensorFlow accepts as the name of a scope, and as that of an outermost scope.
_SCOPE = "[A-Za-z0-9_.>-]+"
_OUTER_SCOPE = f"(?![_>-]){_SCOPE}"


class ExportedModel:
    """What every export of a model starts from.

    Args:
        model: a built Keras model; see `keras_bin.networks.graph.as_functional`.
        rho_tolerance: see `fold`; None leaves every rho as it is.
        input_names: see `keras_bin.export.export_saved_model`.
        output_names: likewise.

    Raises:
        TypeError: `input_names` or `output_names` is not a list or dict.
        ValueError: the inputs of `model` are not known, TensorFlow does not accept the name of
            `model` or of a layer in it, `input_names` or `output_names` do not fit it, an output
            has no name or that of an input, or a rho is not finite.

    Attributes:
        model: a Functional model over the same layers.
        signature: the signature of an artifact.
        given_names: the names of all inputs under `"inputs"` and of all outputs under
            `"outputs"`, in the order of the signature; None where no names were given.
        rho_tolerance: see above.
        gates: the `ExportedGates`.
        is_half: whether the model computes in half precision.
    """

    def __init__(
        self,
        model: keras.Model,
        rho_tolerance: float | None = 0.0,
        input_names: Names | None = None,
        output_names: Names | None = None,
    ):
        _check_layer_names(model)
        self.model = as_functional(model)
        self.signature = model_signature(self.model, input_names, output_names)
        self.given_names = {
            side: None if names is None else [info.name for info in getattr(self.signature, side)]
            for side, names in (("inputs", input_names), ("outputs", output_names))
        }
        self.rho_tolerance = rho_tolerance
        self.gates = ExportedGates(self.model, rho_tolerance)
        self.is_half = is_half_precision(self.model)

    def with_rho_tolerance(self, rho_tolerance: float | None) -> "ExportedModel":
        """Returns the same model with other gates."""
        other = copy.copy(self)
        other.rho_tolerance = rho_tolerance
        other.gates = ExportedGates(self.model, rho_tolerance)
        return other


def _check_layer_names(model):
    """Checks the names that become TensorFlow scopes: those of all layers but the inputs."""
    inside = [
        layer for layer in layers_inside(model) if not isinstance(layer, keras.layers.InputLayer)
    ]
    names = [(model.name, _OUTER_SCOPE), *((layer.name, _SCOPE) for layer in inside)]
    wrong = [name for name, possible in names if not re.fullmatch(possible, name)]
    if wrong:
        raise ValueError(
            "Names of models and layers must consist of ASCII letters, digits, '_', '-' and '.', "
            "and that of a model must begin with a letter, a digit or '.', as TensorFlow names its "
            "operators after them, also in `predict`; set `model.name`, or pass another `name` to "
            f"the layer. Received: {wrong}"
        )
