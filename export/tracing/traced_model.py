"""A model as a graph, before anything is folded into its operators."""

from collections.abc import Sequence

import keras

from keras_bin.networks.inference import serving_function

from ..models.exported_model import ExportedModel
from .forms import LayerCalls
from .freezing import frozen
from .marks import marked
from .precision import in_float32


class TracedModel:
    """Traces a model as it is, with its normalization layers as constants, and freezes the graph.

    Args:
        exported: the model and the gates that it is exported with.
        weights: variables that stay inputs of the graph.
        keep_variables: whether all variables stay variables, for a model above 2 GB.

    Raises:
        ValueError: the model cannot be traced, or a normalization layer has a weight that is not
            finite or a variance that is negative.

    Attributes:
        graph: the `FrozenGraph`; in float32 if the model computes in half precision.
        calls: the calls of normalization layers, in the order of computation.
        is_marked: whether marks stand for instance branches in the graph.
    """

    def __init__(
        self, exported: ExportedModel, weights: Sequence = (), keep_variables: bool = False
    ):
        model, signature = exported.model, exported.signature
        function = serving_function(model, signature, weights)
        names = [info.name for info in signature.outputs]
        calls = LayerCalls(exported.rho_tolerance or 0.0)
        with exported.gates.in_force(), calls.traced(model):
            self.graph = frozen(function, names, keep_variables)
        first = len(signature.inputs)
        for tensor, weight in zip(self.graph.inputs[first:], weights, strict=True):
            self.graph.values[tensor] = keras.ops.convert_to_numpy(weight)
        if exported.is_half:
            in_float32(self.graph)
            values = self.graph.values
            values.update((name, value.astype("float32")) for name, value in values.items())
        self.calls = calls.calls
        self.is_marked = any(marked(self.graph, self.calls))
