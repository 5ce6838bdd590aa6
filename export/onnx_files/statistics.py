"""Which operators of an ONNX graph compute statistics of a sample; exports mark them by name."""

_OF_LAYER = "/keras_bin/"
_OPERATORS = (
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
    "RMSNormalization",
)
_REDUCTIONS = (
    "GlobalAveragePool",
    "ReduceL1",
    "ReduceL2",
    "ReduceMean",
    "ReduceSum",
    "ReduceSumSquare",
)
_ARITHMETIC = (
    "Abs",
    "Add",
    "Cast",
    "Div",
    "Expand",
    "Identity",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Reciprocal",
    "Reshape",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
)
# What keeps a statistic away from 0, and what takes a shape besides its tensor.
_BOUNDS = ("Clip", "Relu")
_SHAPED = ("Expand", "Reshape")


def name_in(layer: str, operator: str) -> str:
    """Returns the name of an operator that belongs to the statistics of a layer.

    Args:
        layer: path of the layer.
        operator: kind of the operator.
    """
    return f"{layer}{_OF_LAYER}{operator}"


def statistics_nodes(graph) -> set[str]:
    """Returns the names of the nodes that compute statistics of a sample, or belong to them.

    In an export of keras_bin these are all nodes of the BIN layers that remain. Elsewhere, they are
    the operators that normalize, and arithmetic that combines a mean or sum of a tensor with that
    tensor, as in `x - mean(x)` and `x / sqrt(mean(x * x))`.

    Args:
        graph: an `onnx.GraphProto` whose nodes have names.
    """
    named = {
        node.name for node in graph.node if _OF_LAYER in node.name or node.op_type in _OPERATORS
    }
    return named | _arithmetic(graph, named)


def _arithmetic(graph, named):
    """Returns the names of the nodes that normalize by arithmetic, without those in `named`."""
    constants = {tensor.name for tensor in graph.initializer}
    found: set[str] = set()
    makers: dict[str, str] = {}  # the node that makes each result of arithmetic
    lineage: dict[str, set[str]] = {}  # a result, and what arithmetic made it of
    statistics: set[str] = set()
    normalized: set[str] = set()
    for node in graph.node:  # sorted: each comes after those whose results it takes
        taken = node.input[:1] if node.op_type in _SHAPED else node.input
        inputs = [name for name in taken if name and name not in constants]
        bounds = node.op_type in _BOUNDS and statistics.issuperset(inputs)
        if node.name in named or not (bounds or node.op_type in (*_REDUCTIONS, *_ARITHMETIC)):
            continue
        result = node.output[0]
        makers[result] = node.name
        lineage[result] = {result}.union(*(lineage.get(name, {name}) for name in inputs))
        if node.op_type in _REDUCTIONS or (inputs and statistics.issuperset(inputs)):
            statistics.add(result)
            continue
        tensors = [name for name in inputs if name not in statistics]
        of_tensors = set().union(*(lineage.get(name, {name}) for name in tensors))
        of_statistics = set().union(*(lineage[name] for name in statistics.intersection(inputs)))
        if of_tensors & of_statistics:
            found.update(makers[name] for name in of_statistics - of_tensors if name in makers)
        elif not tensors or not normalized.issuperset(tensors):
            continue
        found.add(node.name)
        normalized.add(result)
    return found
