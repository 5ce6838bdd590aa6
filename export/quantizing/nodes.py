"""Which operators of an ONNX graph become int8, and which stay in float."""

import math
from typing import NamedTuple

from ..onnx_files.statistics import statistics_nodes

_LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# Linear operators for which ONNX Runtime has int8 kernels, and what may be between two of them.
_KERNELS = ("Conv", "Gemm", "MatMul")
_BETWEEN = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Flatten",
    "GlobalAveragePool",
    "MaxPool",
    "Relu",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
)
# Products per value of the result. In ONNX Runtime, layers before a normalization with 16 to 72 of
# them take 1.0 to 1.4 times as long in int8 as in float; with 128 and more, 0.3 to 0.9 times.
_FEWEST_PRODUCTS = 100


class Nodes(NamedTuple):
    """The names of the nodes of a graph, by what may be done with them.

    Attributes:
        linear: convolutions, dense layers and matrix products whose second input is constant
            float32 weights.
        statistics: operators that compute statistics of a sample.
        last: the last linear operators before statistics, even with other operators in between.
        between: the operators between those and the statistics.
    """

    linear: tuple[str, ...]
    statistics: frozenset[str]
    last: frozenset[str]
    between: frozenset[str]


def sort_nodes(graph) -> Nodes:
    """Sorts the nodes of an `onnx.GraphProto`, all of which have names."""
    import onnx

    statistics = statistics_nodes(graph)
    weights = {
        tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT
    }
    producers = {name: node for node in graph.node for name in node.output}
    last: set[str] = set()
    between: set[str] = set()
    waiting = [name for node in graph.node if node.name in statistics for name in node.input]
    while waiting:
        node = producers.get(waiting.pop())
        if node is None or any(node.name in seen for seen in (statistics, last, between)):
            continue
        if node.op_type in _LINEAR:
            last.add(node.name)
        else:
            between.add(node.name)
            waiting.extend(node.input)
    linear = [
        node.name
        for node in graph.node
        if node.op_type in _LINEAR and node.name not in statistics and node.input[1] in weights
    ]
    return Nodes(tuple(linear), *map(frozenset, (statistics, last, between)))


def integer_nodes(graph, nodes: Nodes) -> list[str]:
    """Returns the names of the nodes that ONNX Runtime is to run in int8.

    These are the linear operators for which it has int8 kernels, and the operators between two of
    them. Before statistics, the result has to become float again, so int8 pays off only if a linear
    operator takes enough products per value.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    integer: list[str] = []
    results: set[str] = set()
    in_float = nodes.statistics | nodes.between
    for node in graph.node:  # sorted: each comes after those whose results it takes
        if node.name in in_float:
            continue
        if node.name in nodes.linear:
            if not _has_kernel(node, constants):
                continue
            if node.name in nodes.last:
                if _products(node, constants) >= _FEWEST_PRODUCTS:
                    integer.append(node.name)
                continue
        elif node.op_type not in _BETWEEN or not results.issuperset(
            name for name in node.input if name and name not in constants
        ):
            continue
        integer.append(node.name)
        results.update(node.output)
    return integer


def _has_kernel(node, constants):
    """Tells whether ONNX Runtime quantizes a linear operator correctly.

    It ignores the factors of a Gemm, and supports only biases with one value per channel.
    """
    if node.op_type not in _KERNELS:
        return False
    factors = [each for each in node.attribute if each.name in ("alpha", "beta") and each.f != 1]
    biases = [constants.get(name) for name in node.input[2:] if name]
    channels = constants[node.input[1]].dims[channel_axis(node)]
    return not factors and all(
        bias is not None and list(bias.dims) == [channels] for bias in biases
    )


def _products(node, constants):
    """Returns the number of products that are summed up for one value of the result."""
    dims = constants[node.input[1]].dims
    if node.op_type == "Conv":
        return math.prod(dims[1:])
    return dims[-1] if channel_axis(node) == -2 or len(dims) == 1 else dims[-2]


def channel_axis(node) -> int:
    """Returns the axis of a linear operator's weights that holds the channels of its result.

    Args:
        node: a Conv, a Gemm or a MatMul.
    """
    if node.op_type == "Conv":
        return 0
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return -2 if transposed else -1
