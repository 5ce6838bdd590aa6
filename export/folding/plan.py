"""Planning how a model is folded: what becomes of each normalization layer, and why."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from keras_bin.keras_internals import all_layers, layers_inside
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.networks.copying import Replacement
from keras_bin.networks.graph import as_functional, layers_of_graphs
from keras_bin.networks.normalizations import (
    NORMALIZATIONS,
    OVERRIDDEN_CALL,
    is_foldable,
    normalizations_of,
)
from keras_bin.runtimes import ANY

from ..models.exported_gates import gate_change
from ..results.layer_report import ABSORBED, UNFOLDED, LayerFold
from .absorption_sites import AbsorptionSite, absorption_sites
from .constants import Constants
from .layer_constants import layer_constants
from .replacements import Absorbed, Absorbing, Folded

_HELD = "it is inside a layer whose `call` decides what it reads"
_NOT_BIN = "it is inside a layer, where only BIN layers are folded"
_USED_OTHERWISE = "a custom layer does more with its BIN layers than call them in inference mode"


class FoldPlan(NamedTuple):
    """How a model is folded.

    Attributes:
        layers: a `LayerFold` for each normalization layer; those that the graph calls come first,
            in the order of computation.
        replacements: what replaces a layer in the folded model, by the `id` of the layer: for
            normalization layers, and for linear layers that absorb them. Others are copied.
    """

    layers: list[LayerFold]
    replacements: dict[int, Replacement]


def plan_folding(
    model: keras.Model, rho_tolerance: float = 0.0, runtime: str = ANY, inside: bool = True
) -> FoldPlan:
    """Plans how a model is folded, without copying anything.

    Args:
        model: as for `keras_bin.export.fold`.
        rho_tolerance: as for `keras_bin.export.fold`.
        runtime: as for `keras_bin.export.fold`.
        inside: whether to fold BIN layers inside other layers, too.

    Raises:
        ValueError: a weight of a normalization layer is not finite, or a variance is negative.
    """
    planner = _Planner(as_functional(model), rho_tolerance, runtime)
    planner.fold_called()
    if inside:
        planner.fold_inside()
    planner.leave_others()
    return FoldPlan(list(planner.layers.values()), planner.replacements)


class _Planner:
    """Decides on the layers of one graph; `layers` maps the `id` of a layer to its `LayerFold`."""

    def __init__(self, graph: keras.Model, rho_tolerance: float, runtime: str):
        self._graph = graph
        self._rho_tolerance = rho_tolerance
        self._runtime = runtime
        self.layers: dict[int, LayerFold] = {}
        self.replacements: dict[int, Replacement] = {}

    def fold_called(self) -> None:
        """Folds the layers that the graph, or a graph nested in it, calls."""
        found = normalizations_of(self._graph)
        constants = {id(layer): self._constants(layer) for layer in found if is_foldable(layer)}
        affine = {key for key, each in constants.items() if each.affine}
        where = absorption_sites(self._graph, affine)
        for layer in found:
            if id(layer) in constants:
                self._fold(layer, constants[id(layer)], where[id(layer)])
            else:
                self._report(layer, UNFOLDED, reason=OVERRIDDEN_CALL)

    def fold_inside(self) -> None:
        """Folds the BIN layers inside other layers, which may not call all of them."""
        for layer in _layers_inside_layers(self._graph):
            is_bin = isinstance(layer, BatchInstanceNormalization) and is_foldable(layer)
            if is_bin and id(layer) not in self.replacements:
                constants = self._constants(layer)
                self.replacements[id(layer)] = Folded(constants, self._runtime)
                self._report(layer, constants.form, reason=_HELD if constants.affine else "")

    def leave_others(self) -> None:
        """Reports the built layers for which nothing is planned."""
        for layer in all_layers(self._graph):
            if isinstance(layer, NORMALIZATIONS) and layer.built and id(layer) not in self.layers:
                reason = _NOT_BIN
                if isinstance(layer, BatchInstanceNormalization):
                    reason = _USED_OTHERWISE if is_foldable(layer) else OVERRIDDEN_CALL
                self._report(layer, UNFOLDED, reason=reason)

    def _constants(self, layer: keras.layers.Layer) -> Constants:
        return layer_constants(layer, self._rho_tolerance)

    def _fold(self, layer: keras.layers.Layer, constants: Constants, site: AbsorptionSite) -> None:
        linear = site.producer
        if linear is None:
            self.replacements[id(layer)] = Folded(constants, self._runtime)
            self._report(layer, constants.form, reason=site.reason if constants.affine else "")
            return
        scale, offset, rest = constants.split()
        before = self.replacements.get(id(linear))
        self.replacements[id(linear)] = (
            before.then(scale, offset)
            if isinstance(before, Absorbing)
            else Absorbing(scale, offset)
        )
        if constants.affine:
            self.replacements[id(layer)] = Absorbed(site.is_output)
            self._report(layer, ABSORBED, into=linear.path)
        else:
            self.replacements[id(layer)] = Folded(rest, self._runtime)
            self._report(layer, constants.form)

    def _report(self, layer: keras.layers.Layer, became: str, **facts: Any) -> None:
        change = gate_change(layer, self._rho_tolerance)
        self.layers[id(layer)] = LayerFold.of(layer, became, change, **facts)


def _layers_inside_layers(graph: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers inside other layers of a graph, in the order of the graph's calls."""
    for layer in layers_of_graphs(graph):
        yield from layers_inside(layer)
