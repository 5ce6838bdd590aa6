"""Which layer before each normalization layer of a model can absorb it."""

import collections
from collections.abc import Container
from typing import NamedTuple

import keras
from keras import layers

from keras_bin.keras_internals import calls_in_order, layers_inside
from keras_bin.networks.graph import as_functional, graphs_of, is_graph
from keras_bin.networks.normalizations import NORMALIZATIONS

from .linear_layers import refusal

# At inference these return their inputs, unless a subclass overrides `call`.
_TRANSPARENT = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)


class AbsorptionSite(NamedTuple):
    """Where a normalization layer can be absorbed, if anywhere.

    Attributes:
        producer: the linear layer whose output only this layer reads, or None.
        reason: why there is no such layer, or "" if there is one.
        is_output: whether the result of the normalization layer is an output of its graph.
    """

    producer: keras.layers.Layer | None
    reason: str
    is_output: bool


def absorption_sites(model: keras.Model, affine: Container[int]) -> dict[int, AbsorptionSite]:
    """Finds the layer that can absorb each normalization layer, nested models included.

    Args:
        model: a Functional or Sequential model.
        affine: `id` of every layer that is an affine map at inference. If such a layer is
            absorbed, the search continues through it.

    Returns:
        A site for every normalization layer, by `id`.
    """
    graphs = [as_functional(graph) for graph in graphs_of(model)]
    calls = _calls(graphs)
    found: dict[int, AbsorptionSite] = {}
    for graph in graphs:
        search = _Search(graph, calls, affine, found)
        for node in calls_in_order(graph):
            if isinstance(node.operation, NORMALIZATIONS):
                found[id(node.operation)] = search.site(node)
    return found


def _calls(graphs):
    """Counts the calls of each layer, by `id`; a layer inside another one counts as called once."""
    calls = collections.Counter(
        id(node.operation) for graph in graphs for node in calls_in_order(graph)
    )
    for graph in graphs:
        for layer in graph.layers:
            if not is_graph(layer):
                calls.update(id(inner) for inner in layers_inside(layer))
    return calls


class _Search:
    """Searches one graph, from a layer towards the input."""

    def __init__(self, graph, calls, affine, found):
        self._calls = calls
        self._affine = affine
        self._found = found
        self._makers = {id(out): node for node in calls_in_order(graph) for out in node.outputs}
        self._outputs = {id(tensor) for tensor in graph.outputs}
        self._readers = collections.Counter(self._outputs)
        self._readers.update(id(x) for node in calls_in_order(graph) for x in node.input_tensors)

    def site(self, node):
        is_output = any(id(tensor) in self._outputs for tensor in node.outputs)
        times = self._calls[id(node.operation)]
        if times > 1:
            return AbsorptionSite(None, f"the layer is called {times} times", is_output)
        layer, tensor = node.operation, node.input_tensors[0]
        maker, reason = self._maker(tensor)
        while not reason and self._passes_on(maker):
            tensor = maker.input_tensors[0]
            maker, reason = self._maker(tensor)
        reason = reason or refusal(maker.operation, layer.axis, tensor.shape)
        # Half precision becomes float32, so only a change from or to float64 matters.
        dtypes = tuple(each.dtype for each in (tensor, node.input_tensors[0], node.outputs[0]))
        if not reason and 0 < dtypes.count("float64") < len(dtypes):
            name = f"{type(maker.operation).__name__} {maker.operation.name!r}"
            reason = f"dtypes change from {name} to the layer: {dtypes}"
        return AbsorptionSite(None if reason else maker.operation, reason, is_output)

    def _maker(self, tensor):
        """Returns the call that made a tensor, and why its layer cannot absorb anything, or ""."""
        maker = self._makers.get(id(tensor))
        if maker is None:
            return None, "its input is an input of the model, or of the model that it is in"
        name = f"{type(maker.operation).__name__} {maker.operation.name!r}"
        times = self._calls[id(maker.operation)]
        if times > 1:
            return maker, f"the layer before, {name}, is called {times} times"
        if self._readers[id(tensor)] > 1:
            return maker, f"the output of the layer before, {name}, is used elsewhere too"
        return maker, ""

    def _passes_on(self, maker):
        operation = maker.operation
        if any(isinstance(operation, k) and type(operation).call is k.call for k in _TRANSPARENT):
            return True
        site = self._found.get(id(operation))
        return id(operation) in self._affine and site is not None and site.producer is not None
