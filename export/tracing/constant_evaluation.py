"""Evaluating, once and in float64, what depends only on constants."""

import numpy as np

from ..tensorflow_internals import operator_definition
from .frozen_graph import FrozenGraph, node_name, tensor_name
from .precision import in_float64

# A result may be as large as its constants; a larger one is cheaper to compute than to store.
_SMALL = 2**16


def evaluate_constants(graph: FrozenGraph) -> None:
    """Replaces what depends only on constants with its value, rounded once."""
    fixed = _fixed(graph)
    ends = _ends(graph, fixed)
    if not ends:
        return
    below = {name: _constants_below(graph, name) for name in ends}
    for tensor, value in _values(graph, fixed, ends).items():
        constants = below[tensor]
        size = sum(node.attr["value"].tensor.ByteSize() for node in constants)
        if value.nbytes > max(_SMALL, size):
            continue
        new = graph.add_constant(f"{node_name(tensor)}_value", value)
        graph.replace(tensor, new)
        names = [tensor_name(node.name) for node in constants]
        variables = [graph.variables[name] for name in names if name in graph.variables]
        if len(variables) == 1:
            graph.variables[new] = variables[0]
    graph.prune()


def _fixed(graph):
    """Returns the names of nodes that depend only on constants."""
    fixed = {}

    def is_fixed(node):
        if node.op == "Const":
            return True
        known = operator_definition(node.op)
        if known is None or known.is_stateful or not node.input or _calls(node):
            return False
        return all(not name.startswith("^") for name in node.input) and all(
            fixed[node_name(name)] for name in node.input
        )

    for node in graph.in_order():
        fixed[node.name] = is_fixed(node)
    return {name for name, value in fixed.items() if value}


def _calls(node):
    return any(each.func.name or each.list.func for each in node.attr.values())


def _ends(graph, fixed):
    """Returns the fixed tensors that are not constants yet and that other nodes read."""
    readers = [node for node in graph.definition.node if node.name not in fixed]
    read = {name for node in readers for name in graph.data_inputs(node)}
    read.update(graph.outputs.values())
    return [
        name
        for name in sorted(read)
        if node_name(name) in fixed and graph.maker(name).op not in ("Const", "Identity")
    ]


def _constants_below(graph, tensor):
    """Returns the constants that a tensor is computed from."""
    waiting, seen = [node_name(tensor)], {}
    while waiting:
        node = graph.nodes[waiting.pop()]
        if node.name not in seen:
            seen[node.name] = node
            waiting += map(node_name, node.input)
    return [node for node in seen.values() if node.op == "Const"]


def _values(graph, fixed, ends):
    import tensorflow as tf

    definition = type(graph.definition)()
    definition.versions.CopyFrom(graph.definition.versions)
    definition.node.extend(node for node in graph.definition.node if node.name in fixed)
    part = FrozenGraph(definition, [], {name: name for name in ends}, {})
    part.prune()
    with tf.Graph().as_default() as single:
        tf.graph_util.import_graph_def(part.definition, name="")
        dtypes = {name: single.get_tensor_by_name(name).dtype for name in ends}
    ends = [name for name in ends if dtypes[name] not in (tf.variant, tf.resource)]
    part.outputs = {name: name for name in ends}
    own = _run(part)
    in_float64(part)
    try:
        exact = _run(part)
    except tf.errors.OpError:  # TensorFlow has an operator only in lower precision
        exact = own
    return {name: _rounded(own[name], exact[name]) for name in ends}


def _run(part):
    import tensorflow as tf

    with tf.Graph().as_default() as graph, tf.device("CPU:0"):
        tf.graph_util.import_graph_def(part.definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            values = session.run(list(part.outputs.values()))
    return {name: np.asarray(value) for name, value in zip(part.outputs, values, strict=True)}


def _rounded(own, exact):
    """Returns the exact values if they differ only by rounding, otherwise `own`."""
    if own.dtype.kind != "f" or own.shape != exact.shape:
        return own
    size = np.abs(own[np.isfinite(own)]).max(initial=0)
    near = np.allclose(own, exact, rtol=1e-5, atol=1e-6 * size, equal_nan=True)
    return exact.astype(own.dtype) if near else own
