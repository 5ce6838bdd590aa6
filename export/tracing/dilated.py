"""Dilated convolutions, which TensorFlow writes as convolutions between changes of shape."""

from typing import NamedTuple

import numpy as np

from .frozen_graph import FrozenGraph, attribute, tensor_name

_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
# Linear in what they read, so two of them are equal if they agree at 0 and at every unit vector.
_LINEAR = ("AddV2", "Concat", "ConcatV2", "ExpandDims", "Identity", "Pack", "StridedSlice", "Sub")


def join_dilated_convolutions(graph: FrozenGraph) -> None:
    """Replaces SpaceToBatchND, convolution and BatchToSpaceND with one dilated convolution.

    tf2onnx 1.17 does so, too, but not if a bias is added in between, or if a size is free with
    `padding="same"`.
    """
    for node in list(graph.definition.node):
        if node.op == "BatchToSpaceND":
            found = _found(graph, node)
            padding = found and _padding(graph, found.before, node)
            if padding is not None:
                _join(graph, found, node, padding)
    graph.prune()


class _Found(NamedTuple):
    """A convolution between two changes of shape; `added` is the ExpandDims, or None."""

    before: object
    added: object
    convolution: object
    last: str
    dilations: list[int]


def _found(graph, after):
    """Returns the dilated convolution that a BatchToSpaceND ends, or None if it ends none."""
    last = tensor = graph.data_inputs(after)[0]
    chain = []
    for operators in (("Squeeze",), ("BiasAdd",), _CONVOLUTIONS, ("ExpandDims",)):
        node = graph.maker(tensor)
        if node.op in operators and _readers(graph, tensor) == 1:
            chain.append(node)
            tensor = graph.data_inputs(node)[0]
    before = graph.maker(tensor)
    by_kind = {node.op: node for node in chain}
    convolution = next((node for node in chain if node.op in _CONVOLUTIONS), None)
    if convolution is None or before.op != "SpaceToBatchND" or _readers(graph, tensor) != 1:
        return None
    added = by_kind.get("ExpandDims")
    axis = _added_axis(graph, added, by_kind.get("Squeeze"))
    blocks = [graph.constant(graph.data_inputs(node)[1]) for node in (before, after)]
    plain = attribute(convolution, "padding").s == b"VALID" and all(
        set(attribute(convolution, name).list.i) <= {1} for name in ("strides", "dilations")
    )
    if not plain or axis is None or any(block is None for block in blocks):
        return None
    if not np.array_equal(*blocks):
        return None
    dilations = [1, *blocks[0].tolist()]
    if added is not None:
        dilations.insert(axis, 1)
    rank = 5 if convolution.op == "Conv3D" else 4
    dilations += [1] * (rank - len(dilations))
    return _Found(before, added, convolution, last, dilations)


def _added_axis(graph, added, removed):
    """Returns the axis that is added and removed, 0 if none is, or None if they do not agree."""
    if added is None and removed is None:
        return 0
    if added is None or removed is None:
        return None
    axis = graph.constant(graph.data_inputs(added)[1])
    axes = {each % 4 for each in attribute(removed, "squeeze_dims").list.i}
    return int(axis) % 4 if axis is not None and axes == {int(axis) % 4} else None


def _readers(graph, tensor):
    """Counts the nodes that read a tensor, and the outputs that are this tensor."""
    return len(graph.readers(tensor)) + list(graph.outputs.values()).count(tensor)


def _padding(graph, before, after):
    """Returns the padding that is not cropped, of shape (axes, 2); None if it depends on sizes."""
    names = [graph.data_inputs(node)[2] for node in (before, after)]
    constants = [graph.constant(name) for name in names]
    if any(each is None for each in constants):
        padding = _difference(graph, names)
    else:
        padding = constants[0] - constants[1]
    return padding if padding is not None and (padding >= 0).all() else None


def _difference(graph, names):
    """Subtracts the second tensor from the first; both are linear in the remainder of sizes."""
    remainders, nodes = set(), {}
    waiting = list(names)
    while waiting:
        node = graph.maker(waiting.pop())
        if node.op == "FloorMod":
            remainders.add(node.name)
        elif node.op in (*_LINEAR, "Const"):
            nodes[node.name] = node
            waiting += graph.data_inputs(node)
        else:
            return None
    if len(remainders) != 1:
        return None
    (remainder,) = remainders
    axes = graph.constant(graph.data_inputs(graph.nodes[remainder])[1])
    if axes is None:
        return None
    vectors = np.vstack([np.zeros(axes.size), np.eye(axes.size)]).astype(axes.dtype)
    first, *others = _differences(graph, nodes.values(), names, remainder, vectors)
    return first if all(np.array_equal(first, other) for other in others) else None


def _differences(graph, nodes, names, remainder, vectors):
    """Returns the difference of two tensors for each value that another node may have."""
    import tensorflow as tf

    part = type(graph.definition)(node=nodes)
    part.versions.CopyFrom(graph.definition.versions)
    with tf.Graph().as_default() as single, tf.device("CPU:0"):
        fed = tf.compat.v1.placeholder(vectors.dtype, vectors.shape[1:])
        read = tf.graph_util.import_graph_def(
            part, {tensor_name(remainder): fed}, list(names), name=""
        )
        with tf.compat.v1.Session(graph=single) as session:
            return [np.subtract(*session.run(read, {fed: vector})) for vector in vectors]


def _join(graph, found, after, padding):
    data = graph.data_inputs(found.before)[0]
    pads = np.zeros((len(found.dilations), 2), int)
    axes = list(range(1, len(found.dilations)))
    if found.added is not None:
        added = graph.constant(graph.data_inputs(found.added)[1])
        axes.remove(int(added) % 4)
    pads[axes[: len(padding)]] = padding
    convolution = found.convolution
    if pads.any() and convolution.op == "Conv3D":
        widths = graph.add_constant(f"{found.before.name}_padding", pads.astype("int32"))
        pad = graph.add_node("Pad", f"{found.before.name}_padded", [data, widths])
        pad.attr["T"].CopyFrom(convolution.attr["T"])
        pad.attr["Tpaddings"].type = graph.maker(widths).attr["dtype"].type
        data = tensor_name(pad.name)
    elif pads.any():
        convolution.attr["padding"].s = b"EXPLICIT"
        convolution.attr["explicit_paddings"].list.i[:] = pads.ravel().tolist()
    convolution.attr["dilations"].list.i[:] = found.dilations
    graph.read(convolution if found.added is None else found.added, 0, data)
    graph.replace(tensor_name(after.name), found.last)
