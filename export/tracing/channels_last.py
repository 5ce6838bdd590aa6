"""Converting operators on channels-first data to channels last, for TensorFlow's CPU kernels."""

import numpy as np

from .frozen_graph import FrozenGraph, attribute, tensor_name

# The number of the input that holds the data, by operator.
_DATA = {
    "AvgPool": 0,
    "AvgPool3D": 0,
    "Conv2D": 0,
    "Conv2DBackpropInput": 2,
    "Conv3D": 0,
    "Conv3DBackpropInputV2": 2,
    "DepthwiseConv2dNative": 0,
    "MaxPool": 0,
    "MaxPool3D": 0,
}
_BY_AXIS = ("dilations", "ksize", "strides")


def compute_channels_last(graph: FrozenGraph) -> None:
    """Puts transposes around convolutions and pooling of channels-first data.

    TensorFlow's CPU kernels take channels-first data in float32 at most.
    """
    for node in list(graph.definition.node):
        data_format = attribute(node, "data_format").s
        if node.op in _DATA and data_format.startswith(b"NC"):
            _change(graph, node, data_format[2:])


def _change(graph, node, spatial):
    rank = len(spatial) + 2
    to_last = [0, *range(2, rank), 1]
    node.attr["data_format"].s = b"N" + spatial + b"C"
    for name in _BY_AXIS:
        values = list(attribute(node, name).list.i)
        if values:
            node.attr[name].list.i[:] = [values[axis] for axis in to_last]
    paddings = np.reshape(attribute(node, "explicit_paddings").list.i, (-1, 2))
    if len(paddings):
        node.attr["explicit_paddings"].list.i[:] = paddings[to_last].ravel().tolist()
    place = _DATA[node.op]
    graph.read(node, place, _transposed(graph, node, node.input[place], to_last))
    if place:  # a transposed convolution, which reads the shape of its result
        graph.read(node, 0, _gathered(graph, node, to_last))
    made = tensor_name(node.name)
    graph.replace(made, _transposed(graph, node, made, np.argsort(to_last).tolist()))


def _gathered(graph, node, order):
    order, axis = (
        graph.add_constant(f"{node.name}_{name}", np.array(value, "int32"))
        for name, value in (("order", order), ("axis", 0))
    )
    gather = graph.add_node("GatherV2", f"{node.name}_sizes", [node.input[0], order, axis])
    dtype = graph.dtype(order)
    for name in ("Tindices", "Taxis", "Tparams"):
        gather.attr[name].type = dtype.as_datatype_enum
    return tensor_name(gather.name)


def _transposed(graph, node, tensor, order):
    order = graph.add_constant(f"{node.name}_order", np.array(order, "int32"))
    transpose = graph.add_node("Transpose", f"{node.name}_transposed", [tensor, order])
    transpose.attr["T"].CopyFrom(node.attr["T"])
    transpose.attr["Tperm"].type = graph.dtype(order).as_datatype_enum
    return tensor_name(transpose.name)
