"""The graph that an artifact is made from, and what became of normalization layers in it."""

import collections

from keras_bin.keras_internals import all_layers
from keras_bin.networks.normalizations import NORMALIZATIONS, OVERRIDDEN_CALL, is_foldable

from ..models.exported_model import ExportedModel
from ..results.layer_report import ABSORBED, UNFOLDED, LayerFold
from .constant_evaluation import evaluate_constants
from .grouped import split_grouped_convolutions
from .linear_operators import Absorber, Affine, Outcome
from .marks import mark_of, put_arithmetic
from .traced_model import TracedModel


class ExportGraph:
    """The graph of a model in which linear operators have absorbed what they can.

    Args:
        exported: the model.
        traced: its graph; it is changed in place if it has no marks.
        runtime: the runtime whose arithmetic replaces the marks; None leaves the marks.

    Attributes:
        graph: the `FrozenGraph`.
        calls: the calls of normalization layers, in the order of computation.
        layers: a `LayerFold` for each normalization layer, in the order of computation.
        partly_absorbed: marks of the calls from which a linear operator absorbs an affine map; see
            `Constants.split`.
    """

    def __init__(self, exported: ExportedModel, traced: TracedModel, runtime: str | None):
        self.calls = traced.calls
        self.graph = traced.graph.copy() if traced.is_marked else traced.graph
        if runtime and traced.is_marked:
            put_arithmetic(self.graph, self.calls, runtime)
        evaluate_constants(self.graph)
        absorber = Absorber(self.graph)
        outcomes = absorber.absorb_all()
        self.partly_absorbed = self._absorb_parts(absorber)
        absorber.finish()
        split_grouped_convolutions(self.graph)
        self.layers = _Report(exported, self.graph, outcomes).layers(self.calls)

    def _absorb_parts(self, absorber):
        """Lets linear operators absorb what they can of layers that have an instance branch."""
        by_mark = {call.mark: call for call in self.calls}
        marks = collections.Counter(map(mark_of, self.graph.definition.node))
        partly_absorbed = set()
        for node in list(self.graph.definition.node):
            call = by_mark.get(mark_of(node))
            if call is None or marks[call.mark] > 1:  # in a function with several callers
                continue
            scale, offset, _ = call.constants.split()
            shape = call.axes.channel_shape
            affine = Affine(scale.reshape(shape), offset.reshape(shape))
            if not absorber.absorb(self.graph.data_inputs(node)[0], affine).reason:
                partly_absorbed.add(call.mark)
        return partly_absorbed


class _Report:
    """Says what became of each normalization layer."""

    def __init__(self, exported, graph, outcomes):
        self._exported = exported
        self._variables = graph.variables
        self._outcomes = outcomes
        self._owners = _owners(exported.model)

    def layers(self, calls):
        by_layer = {}
        for call in calls:
            if isinstance(call.layer, NORMALIZATIONS):
                by_layer.setdefault(id(call.layer), []).append(call)
        folds = [self._folded(calls) for calls in by_layer.values()]
        for layer in all_layers(self._exported.model):
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
        """Returns what became of the operators of a call; those not in the graph were left."""
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
        handle = self._variables.get(outcome.kernel)
        return self._owners.get(id(handle), outcome.kernel.rpartition("/")[0])

    def _fold(self, layer, became, **facts):
        return LayerFold.of(layer, became, self._exported.gates.change(layer), **facts)


def _owners(model):
    """Maps the handles of variables to the paths of the layers that own them."""
    return {
        id(variable.value.handle): variable.path.rpartition("/")[0]
        for variable in model.variables
        if hasattr(variable.value, "handle")
    }
