"""Counting the transposes of an ONNX graph."""

import collections
from typing import NamedTuple

from .following import connected, is_reducing

# What wants its channels first, and is why a model whose channels are last gets transposes.
_CHANNELS_FIRST = frozenset(
    (
        *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace"),
        *("GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "LRN", "MaxPool"),
        *("Resize", "SpaceToDepth", "Upsample"),
    )
)
_RESHAPING = ("Identity", "Squeeze", "Unsqueeze")


def inner_transposes(proto) -> int:
    """Returns the number of Transpose nodes inside a graph, which a better layout would save.

    Operators that do not mind the order of axes, such as Relu and Add, form regions. Counted is
    what borders on a region with an operator that wants its channels first, such as Conv, unless
    it has to be there: where it reads an input of the graph or makes an output, where images have
    their channels last, and where it is the only Transpose between such a region and another that
    ends at an operator with an order of its own, such as Reshape or MatMul. All others are the
    model's own: attention, for one, splits heads between Reshape and MatMul.

    Graphs of loops and branches are counted, too.

    Args:
        proto: an `onnx.ModelProto`.
    """
    return _inner(proto.graph)


def _inner(graph):
    makers = {name: node for node in graph.node for name in node.output}
    readers = collections.defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    constants = {tensor.name for tensor in graph.initializer}
    edges = {value.name for value in [*graph.input, *graph.output]}
    count = 0
    for node in graph.node:
        if node.op_type == "Transpose":
            ends = {_before(node.input[0], makers), *_after(node.output[0], readers)}
            sides = [
                _region(name, makers, readers, constants, edges)
                for name in (node.input[0], node.output[0])
            ]
            wanted = any(side.channels_first for side in sides)
            needed = any(
                side.bound and side.transposes == 1 and not side.channels_first for side in sides
            )
            count += wanted and not needed and edges.isdisjoint(ends)
        count += sum(_inner(attribute.g) for attribute in node.attribute if attribute.HasField("g"))
    return count


class _Region(NamedTuple):
    """What is around operators that do not mind the order of axes.

    Attributes:
        transposes: how many Transposes.
        channels_first: whether there is an operator that wants its channels first.
        bound: whether there is an edge of the graph, or an operator with an order of its own.
    """

    transposes: int
    channels_first: bool
    bound: bool


def _before(name, makers):
    """Returns the tensor that others only add axes of size 1 to, or drop them from."""
    while name in makers and makers[name].op_type in _RESHAPING:
        name = makers[name].input[0]
    return name


def _after(name, readers):
    """Yields a tensor, and those that only differ from it by axes of size 1."""
    yield name
    for node in readers[name]:
        if node.op_type in _RESHAPING:
            yield from _after(node.output[0], readers)


def _region(start, makers, readers, constants, edges):
    seen, waiting, around = set(), [start], {}
    bound = False
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        bound |= name in edges
        for node in [*([makers[name]] if name in makers else []), *readers[name]]:
            names = connected(node, constants)
            if name in names:
                waiting += names
            elif not is_reducing(node) and node.op_type != "Shape":
                around[id(node)] = node.op_type
    kinds = list(around.values())
    first = _CHANNELS_FIRST.intersection(kinds)
    bound |= len(kinds) > kinds.count("Transpose") + sum(kind in first for kind in kinds)
    return _Region(kinds.count("Transpose"), bool(first), bound)
