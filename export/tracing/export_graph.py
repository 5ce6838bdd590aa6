"""The graph that an artifact is made of, and what became of normalization layers in it."""

import collections
from collections.abc import Sequence

import keras

from keras_bin.keras_internals import all_layers

from ..models.inference import serving_function
from ..models.normalizations import NORMALIZATIONS, OVERRIDDEN_CALL, is_foldable
from ..models.source import Source
from ..results.layer_report import ABSORBED, UNFOLDED, LayerFold
from .absorbing import Absorber, Affine, Outcome
from .constant_folding import fold_constants_of
from .forms import LayerCalls
from .freezing import frozen
from .grouped import part_grouped_convolutions
from .precision import in_float32


class ExportGraph:
    """Traces a model as it is, its normalization layers as constants, and freezes the graph.

    Args:
        source: the model, and the gates that it is exported with.
        calls: what normalization layers compute in the trace.
        weights: variables that stay inputs of the graph.
        keep_variables: whether all variables stay variables, for a model above 2 GB.

    Raises:
        ValueError: the model cannot be traced, or a weight of a normalization layer is not finite
            or a variance of one is negative.

    Attributes:
        graph: the `FrozenGraph`.
        layers: a `LayerFold` for each normalization layer, in the order of computation.
        parted: marks of the calls whose `handed_over` part a linear operator has taken.
    """

    def __init__(
        self,
        source: Source,
        calls: LayerCalls,
        weights: Sequence = (),
        keep_variables: bool = False,
    ):
        model, signature = source.model, source.signature
        function = serving_function(model, signature, weights)
        names = [info.name for info in signature.outputs]
        with source.gates.in_force(), calls.traced(model):
            self.graph = frozen(function, names, keep_variables)
        first = len(signature.inputs)
        for tensor, weight in zip(self.graph.inputs[first:], weights, strict=True):
            self.graph.values[tensor] = keras.ops.convert_to_numpy(weight)
        if source.is_half:
            in_float32(self.graph)
            values = self.graph.values
            values.update((name, value.astype("float32")) for name, value in values.items())
        fold_constants_of(self.graph)
        absorber = Absorber(self.graph)
        outcomes = absorber.absorb_all()
        self.parted = self._hand_over(absorber, calls)
        absorber.finish()
        part_grouped_convolutions(self.graph)
        self.layers = _Report(source, self.graph, outcomes).layers(calls.calls)

    def _hand_over(self, absorber, calls):
        """Lets linear operators take what they can of layers that have an instance branch."""
        by_mark = {call.mark: call for call in calls.calls}
        marks = collections.Counter(map(mark_of, self.graph.definition.node))
        parted = set()
        for node in list(self.graph.definition.node):
            call = by_mark.get(mark_of(node))
            if call is None or marks[call.mark] > 1:  # a function that is called at two places
                continue
            scale, offset, _ = call.constants.handed_over()
            shape = [1] * call.axes.rank
            shape[call.axes.channel] = call.axes.channels
            affine = Affine(scale.reshape(shape), offset.reshape(shape))
            if not absorber.absorb(self.graph.data_inputs(node)[0], affine).reason:
                parted.add(call.mark)
        return parted


def mark_of(node) -> str:
    """Returns the text of a mark, empty if a node is none; see `onnx_files.lowering`."""
    return node.attr["message"].s.decode() if node.op == "CheckNumerics" else ""


class _Report:
    """Says what became of each normalization layer."""

    def __init__(self, source, graph, outcomes):
        self._source = source
        self._sources = graph.sources
        self._outcomes = outcomes
        self._owners = _owners(source.model)

    def layers(self, calls):
        by_layer = {}
        for call in calls:
            if isinstance(call.layer, NORMALIZATIONS):
                by_layer.setdefault(id(call.layer), []).append(call)
        folds = [self._folded(calls) for calls in by_layer.values()]
        for layer in all_layers(self._source.model):
            is_known = isinstance(layer, NORMALIZATIONS) and layer.built
            if is_known and id(layer) not in by_layer:
                reason = "it is called with training=True, or not at all"
                if not is_foldable(layer):
                    reason = OVERRIDDEN_CALL
                folds.append(self._fold(layer, UNFOLDED, reason=reason))
        return tuple(folds)

    def _folded(self, calls):
        layer, constants = calls[0].layer, calls[0].constants
        if not constants.affine:
            return self._fold(layer, constants.form)
        outcomes = [self._outcome(call) for call in calls]
        reason = next((outcome.reason for outcome in outcomes if outcome.reason), "")
        if reason:
            return self._fold(layer, constants.form, reason=reason)
        kernels = dict.fromkeys(map(self._owner, outcomes))
        return self._fold(layer, ABSORBED, into=", ".join(kernels))

    def _outcome(self, call):
        """Returns what became of the operators of a call; what is not in the graph was left."""
        parts = [f"{call.mark}scale", f"{call.mark}offset"]
        found = [
            outcome
            for name, outcome in self._outcomes.items()
            if any(part in name for part in parts)
        ]
        if len(found) < len(parts):
            return Outcome("it is called inside a loop or a branch, or its result is not needed")
        return next((outcome for outcome in found if outcome.reason), found[0])

    def _owner(self, outcome):
        handle = self._sources.get(outcome.kernel)
        return self._owners.get(id(handle), outcome.kernel.rpartition("/")[0])

    def _fold(self, layer, became, **facts):
        return LayerFold.of(layer, became, self._source.gates.change(layer), **facts)


def _owners(model):
    """Maps the handles of variables to the paths of the layers that own them."""
    return {
        id(variable.value.handle): variable.path.rpartition("/")[0]
        for variable in model.variables
        if hasattr(variable.value, "handle")
    }
