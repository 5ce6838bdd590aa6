"""Grouped convolutions that TensorFlow has no kernel for, split by group."""

import numpy as np

from .frozen_graph import FrozenGraph, attribute, tensor_name


def split_grouped_convolutions(graph: FrozenGraph) -> None:
    """Replaces each grouped convolution in three dimensions with one convolution per group.

    Keras lets XLA compile them; TensorFlow's own kernels support groups only in two dimensions.
    """
    nodes = [node for node in graph.definition.node if node.op == "Conv3D"]
    shapes = graph.shapes() if nodes else {}
    for node in nodes:
        data, weights = graph.data_inputs(node)
        kernel = graph.constant(weights)
        axis = 1 if attribute(node, "data_format").s.startswith(b"NC") else 4
        channels = (shapes[data] or [None] * 5)[axis]
        if kernel is not None and channels not in (None, kernel.shape[-2]):
            _split(graph, node, data, kernel, axis, channels // kernel.shape[-2])
    graph.prune()


def _split(graph, node, data, kernel, axis, groups):
    along = graph.add_constant(f"{node.name}_axis", np.array(axis, "int32"))
    split = graph.add_node("Split", f"{node.name}_groups", [along, data])
    split.attr["T"].CopyFrom(node.attr["T"])
    split.attr["num_split"].i = groups
    parts = []
    for number, values in enumerate(np.split(kernel, groups, axis=-1)):
        weights = graph.add_constant(f"{node.name}_kernel", values)
        part = graph.add_node("Conv3D", f"{node.name}_part", [f"{split.name}:{number}", weights])
        for name, value in node.attr.items():
            part.attr[name].CopyFrom(value)
        parts.append(tensor_name(part.name))
    whole = graph.add_node("ConcatV2", f"{node.name}_whole", [*parts, along])
    whole.attr["T"].CopyFrom(node.attr["T"])
    whole.attr["N"].i = groups
    whole.attr["Tidx"].type = graph.maker(along).attr["dtype"].type
    graph.replace(tensor_name(node.name), tensor_name(whole.name))
