"""Making the channels of results equally large, so one int8 scale suits them all."""

from collections.abc import Container, Sequence

import numpy as np

from keras_bin.sampling.trial import Batch

from ..onnx_files.statistics import name_in
from .nodes import channel_axis
from .running import in_onnx_runtime

_SMALLEST = 1e-6  # as a share of the largest; weights are divided by it


def equalize_channels(proto, names: Container[str], batches: Sequence[Batch]) -> None:
    """Divides the weights of linear operators by the sizes of the channels of their results.

    A multiplication after each operator restores the sizes, in float, so the model computes what
    it did before.

    Args:
        proto: an `onnx.ModelProto`; it is changed in place.
        names: names of Conv, Gemm and MatMul nodes with constant weights and biases.
        batches: batches of inputs, on which the results are measured.
    """
    chosen = [node for node in proto.graph.node if node.name in names]
    sizes = _largest_values(proto, chosen, batches) if chosen else {}
    graph, constants = proto.graph, {tensor.name: tensor for tensor in proto.graph.initializer}
    nodes, replaced = [], set()
    for node in graph.node:
        nodes.append(node)
        if node.name in sizes:
            replaced.update(node.input[1:])
            nodes.append(_equalized(graph, node, sizes[node.name], constants))
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph, replaced)


def _drop_unused(graph, names):
    """Drops those constants that nothing in the graph, or in a graph inside it, still reads."""
    visible = [value.name for value in (*graph.input, *graph.output)]
    unused = names - {*visible, *_taken(graph)}
    kept = [tensor for tensor in graph.initializer if tensor.name not in unused]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _taken(graph):
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _taken(inner)


def _largest_values(proto, nodes, batches):
    """Returns for each node the size of each channel of its result, relative to the largest one.

    The size is the largest absolute value. A channel that is always 0 counts as the largest, and
    none counts as less than a millionth of the largest.
    """
    import onnx

    measured = onnx.ModelProto()
    measured.CopyFrom(proto)
    del measured.graph.output[:]
    measured.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in nodes)
    run = in_onnx_runtime(measured.SerializeToString())
    largest: dict[str, np.ndarray] = {}
    for batch in batches:
        results = run(batch)
        for node in nodes:
            values = results[node.output[0]]
            channels = 1 if node.op_type == "Conv" else values.ndim - 1
            others = tuple(axis for axis in range(values.ndim) if axis != channels)
            found = np.abs(values).max(axis=others)
            largest[node.name] = np.maximum(largest.get(node.name, 0), found)
    return {
        name: np.where(sizes > 0, np.maximum(sizes / (sizes.max() or 1), _SMALLEST), 1)
        for name, sizes in largest.items()
    }


def _equalized(graph, node, sizes, constants):
    """Divides the weights of a node by the sizes of its channels; returns a Mul that restores them.

    The node's result gets a new name, so whatever reads the old name reads the product.
    """
    import onnx

    product, divided = node.output[0], f"{node.output[0]}/divided"

    def constant(name, values):
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype("float32"), name))
        return name

    weights, *biases = (
        onnx.numpy_helper.to_array(constants[name]) for name in node.input[1:] if name
    )
    along = np.ones(weights.ndim, int)
    along[channel_axis(node)] = -1
    node.input[1] = constant(f"{divided}/weights", weights / sizes.reshape(along))
    if biases:
        node.input[2] = constant(f"{divided}/bias", biases[0] / sizes)
    node.output[0] = divided
    spatial = weights.ndim - 2 if node.op_type == "Conv" else 0
    factors = constant(f"{divided}/sizes", sizes.reshape(-1, *[1] * spatial))
    return onnx.helper.make_node(
        "Mul", [divided, factors], [product], name=name_in(node.name, "Mul")
    )
