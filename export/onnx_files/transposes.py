"""Counting the transposes of an ONNX graph."""

import collections

from keras_bin.export.onnx_files.following import connected

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

    Counted is what stands before or after an operator that wants its channels first, such as
    Conv, directly or with operators in between that do not mind the order of axes. All others are
    the model's own: attention, for one, splits heads between Reshape and MatMul.

    A Transpose that reads an input of the graph or makes one of its outputs is at an edge, where
    images have their channels last. Next to a Reshape it is not counted either: where axes are
    merged or split, as in the head of a detector, the order of the elements is the model's own.
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
            before, after = _before(node.input[0], makers), _after(node.output[0], readers)
            kinds = {each.op_type for each in readers[node.output[0]]}
            count += (
                edges.isdisjoint({before, *after})
                and not (before in makers and makers[before].op_type == "Reshape")
                and kinds != {"Reshape"}
                and any(
                    _is_near_channels_first(name, makers, readers, constants)
                    for name in (node.input[0], node.output[0])
                )
            )
        count += sum(_inner(attribute.g) for attribute in node.attribute if attribute.HasField("g"))
    return count


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


def _is_near_channels_first(start, makers, readers, constants):
    """Returns whether operators that do not mind the order lead to one that wants channels first."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        nodes = [makers[name]] if name in makers else []
        for node in [*nodes, *readers[name]]:
            if node.op_type in _CHANNELS_FIRST and name in (node.input[0], *node.output):
                return True
            names = connected(node, constants)
            waiting += names if name in names else []
    return False
