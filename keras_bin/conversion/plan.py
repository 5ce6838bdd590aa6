"""Planning a conversion: which layers of a model are converted, in the order of computation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras

from keras_bin.conversion.report import LayerConversion
from keras_bin.conversion.rules import NO_SPATIAL_AXIS
from keras_bin.conversion.selection import FIRST, Where, is_selected
from keras_bin.keras_internals import all_layers
from keras_bin.networks.graph import layers_of_graphs
from keras_bin.networks.shared_variables import holds, variables_of_several_layers
from keras_bin.networks.signature import named_tensors
from keras_bin.networks.state import restored
from keras_bin.sampling.batches import sample_batches
from keras_bin.sampling.trial import Trial

_NOT_SELECTED = "`where` does not select it"
_SHARES = "it shares a weight with another layer"
_USED_OTHERWISE = "the layer that contains it does more than call it"


class Plan(NamedTuple):
    """What becomes of the normalization layers of a model.

    Attributes:
        layers: those of one class, in the order of computation.
        reasons: why each of them is left as it is, or an empty string.
    """

    layers: list[keras.layers.Layer]
    reasons: list[str]

    @property
    def converted(self) -> list[keras.layers.Layer]:
        """The layers that are converted."""
        return [
            layer for layer, reason in zip(self.layers, self.reasons, strict=True) if not reason
        ]

    @property
    def refused(self) -> list[LayerConversion]:
        """The selected layers that are left as they are."""
        return [each for each in self.report if each.reason not in ("", _NOT_SELECTED)]

    @property
    def report(self) -> list[LayerConversion]:
        """The layers, described."""
        return [
            LayerConversion.of(layer, reason)
            for layer, reason in zip(self.layers, self.reasons, strict=True)
        ]

    def without_inner(self, graph: keras.Model) -> "Plan":
        """Returns a plan that leaves layers inside custom layers as they are."""
        called = {id(layer) for layer, owner in layers_in_order(graph) if owner is None}
        reasons = [
            reason or ("" if id(layer) in called else _USED_OTHERWISE)
            for layer, reason in zip(self.layers, self.reasons, strict=True)
        ]
        return Plan(self.layers, reasons)


def plan(
    graph: keras.Model,
    kind: type[keras.layers.Layer],
    why_not: Callable[[keras.layers.Layer], str],
    where: Where = None,
) -> Plan:
    """Plans a conversion, without copying anything.

    Args:
        graph: a Functional model.
        kind: the class of the layers, subclasses included.
        why_not: tells why a layer cannot be converted, or returns an empty string.
        where: see `convert_batch_normalization`.
    """
    layers = [layer for layer, _ in layers_in_order(graph) if isinstance(layer, kind)]
    if where == FIRST:
        images = [layer for layer in layers if layer.built and why_not(layer) != NO_SPATIAL_AXIS]
        selected = _first(graph, images)
    else:
        selected = [layer for layer in layers if is_selected(layer, where)]
    chosen, shared = set(map(id, selected)), variables_of_several_layers(graph)
    reasons = [
        _NOT_SELECTED
        if id(layer) not in chosen
        else why_not(layer) or (_SHARES if holds(layer, shared) else "")
        for layer in layers
    ]
    return Plan(layers, reasons)


def layers_in_order(
    graph: keras.Model,
) -> Iterator[tuple[keras.layers.Layer, keras.layers.Layer | None]]:
    """Yields each layer of a graph once, with the layer that contains it, if there is one.

    The order is that of computation; layers inside another layer come in the order in which
    it lists them.
    """
    seen = set()
    for called in layers_of_graphs(graph):
        for layer in all_layers(called):
            if id(layer) not in seen:
                seen.add(id(layer))
                yield layer, None if layer is called else called


def _first(graph: keras.Model, layers: list[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Returns the layer that is called first; custom layers may call theirs in any order."""
    signature = named_tensors(graph)
    try:
        _, batch, *_ = sample_batches(signature)
    except ValueError:  # no text can be generated
        return layers[:1]
    with restored(graph):
        called = Trial(graph, signature).first_input(layers, batch)
    return [called[0]] if called else layers[:1]
