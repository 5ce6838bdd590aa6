"""Counting the transposes inside an ONNX graph that a better layout would save."""

import collections
from typing import NamedTuple

from .operator_axes import connected_tensors, drops_axes

# Operators that read channels first; a channels-last model gets transposes for them.
_CHANNELS_FIRST = frozenset(
    (
        *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace"),
        *("GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "LRN", "MaxPool"),
        *("Resize", "SpaceToDepth", "Upsample"),
    )
)
_RESHAPING = ("Identity", "Squeeze", "Unsqueeze")


def inner_transposes(proto) -> int:
    """Returns the number of Transpose nodes inside a graph that a better layout would save.

    Operators that work in any order of axes, such as Relu and Add, form regions. A Transpose
    counts if it borders on a region with an operator that reads channels first, such as Conv,
    unless it has to be there: at an input or output of the graph, where images have channels last,
    or as the only Transpose of a neighbouring region that ends at an operator with a fixed order,
    such as Reshape or MatMul. All others are the model's own: attention, for example, splits heads
    between Reshape and MatMul.

    Transposes in loops and branches count, too.

    Args:
        proto: an `onnx.ModelProto`.
    """
    return _inner(proto.graph)


def _inner(graph):
    producers = {name: node for node in graph.node for name in node.output}
    consumers = collections.defaultdict(list)
    for node in graph.node:
        for name in node.input:
            consumers[name].append(node)
    constants = {tensor.name for tensor in graph.initializer}
    graph_ends = {value.name for value in [*graph.input, *graph.output]}
    count = 0
    for node in graph.node:
        if node.op_type == "Transpose":
            around = {_before(node.input[0], producers), *_after(node.output[0], consumers)}
            sides = [
                _surroundings(name, producers, consumers, constants, graph_ends)
                for name in (node.input[0], node.output[0])
            ]
            counted = any(side.channels_first for side in sides)
            needed = any(
                side.bound and side.transposes == 1 and not side.channels_first for side in sides
            )
            count += counted and not needed and graph_ends.isdisjoint(around)
        count += sum(_inner(attribute.g) for attribute in node.attribute if attribute.HasField("g"))
    return count


class _Surroundings(NamedTuple):
    """What surrounds a region of operators that work in any order of axes.

    Attributes:
        transposes: number of Transposes.
        channels_first: whether there is an operator that reads channels first.
        bound: whether there is an end of the graph, or an operator with a fixed order.
    """

    transposes: int
    channels_first: bool
    bound: bool


def _before(name, producers):
    """Returns the earliest tensor that differs from `name` only by axes of size 1."""
    while name in producers and producers[name].op_type in _RESHAPING:
        name = producers[name].input[0]
    return name


def _after(name, consumers):
    """Yields a tensor, and all later ones that differ from it only by axes of size 1."""
    yield name
    for node in consumers[name]:
        if node.op_type in _RESHAPING:
            yield from _after(node.output[0], consumers)


def _surroundings(start, producers, consumers, constants, graph_ends):
    seen, waiting, around = set(), [start], {}
    bound = False
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        bound |= name in graph_ends
        for node in [*([producers[name]] if name in producers else []), *consumers[name]]:
            names = connected_tensors(node, constants)
            if name in names:
                waiting += names
            elif not drops_axes(node) and node.op_type != "Shape":
                around[id(node)] = node.op_type
    kinds = list(around.values())
    first = _CHANNELS_FIRST.intersection(kinds)
    bound |= len(kinds) > kinds.count("Transpose") + sum(kind in first for kind in kinds)
    return _Surroundings(kinds.count("Transpose"), bool(first), bound)
