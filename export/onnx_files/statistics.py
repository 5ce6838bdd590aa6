"""Which operators of an ONNX graph take statistics of a sample; exports tell by their names."""

_OF_LAYER = "/keras_bin/"
_OPERATORS = ("InstanceNormalization", "GroupNormalization")
_ARITHMETIC = ("Add", "Div", "Mul", "Pow", "Reciprocal", "Reshape", "Sqrt", "Sub", "Transpose")


def name_in(layer: str, operator: str) -> str:
    """Returns the name of an operator that belongs to the statistics of a layer.

    Args:
        layer: path of the layer.
        operator: kind of the operator.
    """
    return f"{layer}{_OF_LAYER}{operator}"


def statistics_nodes(graph) -> set[str]:
    """Returns the names of the nodes that take statistics of a sample, or belong to them.

    In an export of keras_bin these are all nodes of its BIN layers that stayed. Elsewhere they are
    the operators that normalize by statistics, and arithmetic around a mean that is subtracted.

    Args:
        graph: an `onnx.GraphProto` whose nodes have names.
    """
    found = {
        node.name for node in graph.node if _OF_LAYER in node.name or node.op_type in _OPERATORS
    }
    centered = {frozenset(node.input) for node in graph.node if node.op_type == "Sub"}
    results: set[str] = set()
    for node in graph.node:  # sorted, so that each comes after those whose results it takes
        if node.name in found:
            continue
        is_mean = (
            node.op_type == "ReduceMean" and frozenset((node.input[0], node.output[0])) in centered
        )
        if is_mean or (
            node.op_type in (*_ARITHMETIC, "ReduceMean") and not results.isdisjoint(node.input)
        ):
            found.add(node.name)
            results.update(node.output)
    return found
