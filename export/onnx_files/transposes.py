"""Counting the transposes of an ONNX graph."""


def inner_transposes(proto) -> int:
    """Returns the number of Transpose nodes inside a graph, which a better layout would save.

    A Transpose that reads an input of the graph or makes one of its outputs is at an edge, where
    images have their channels last. Next to a Reshape it is not counted either: where axes are
    merged or split, as in the head of a detector, the order of the elements is the model's own.
    Graphs of loops and branches are counted, too.

    Args:
        proto: an `onnx.ModelProto`.
    """
    return _inner(proto.graph)


def _inner(graph):
    edges = {value.name for value in [*graph.input, *graph.output]}
    read_by = {}
    for node in graph.node:
        for name in node.input:
            read_by.setdefault(name, set()).add(node.op_type)
        if node.op_type == "Reshape":
            edges.update(node.output)
    count = 0
    for node in graph.node:
        if node.op_type == "Transpose":
            (before,), (after,) = node.input, node.output
            count += edges.isdisjoint({before, after}) and read_by.get(after) != {"Reshape"}
        count += sum(_inner(attribute.g) for attribute in node.attribute if attribute.HasField("g"))
    return count
