"""Marks in a graph where the statistics of a sample are needed."""

from collections.abc import Iterator
from typing import Any

from keras_bin.normalization.formula import apply_constants

from .forms import MARK_OPERATOR, LayerCall
from .frozen_graph import FrozenGraph, node_name
from .function_body import FunctionBody


def mark_of(node) -> str:
    """Returns the text of a mark, empty for other nodes; see `keras_bin.export.tracing.forms`."""
    return node.attr["message"].s.decode() if node.op == MARK_OPERATOR else ""


def marked(graph: FrozenGraph, calls: list[LayerCall]) -> Iterator[tuple]:
    """Yields each mark in a graph and in the functions that it calls, as `(body, node, call)`."""
    by_mark = {call.mark: call for call in calls}
    bodies: list[Any] = [graph, *map(FunctionBody, graph.definition.library.function)]
    for body in bodies:
        for node in list(body.nodes.values()):
            if mark_of(node) in by_mark:
                yield body, node, by_mark[mark_of(node)]


def put_arithmetic(graph: FrozenGraph, calls: list[LayerCall], runtime: str) -> None:
    """Replaces each mark with operators that compute the call of the layer, for a runtime."""
    for body, node, call in marked(graph, calls):
        definition, result = _arithmetic(call, runtime)
        body.replace(body.output(node, 0), _copied(body, node, definition, result))
        # Other nodes may wait for it, so it stays, but does nothing.
        node.op = "NoOp"
        del node.input[:]
        node.attr.clear()
    graph.prune()


def _arithmetic(call, runtime):
    """Returns a GraphDef that computes a call of its only placeholder, and its result."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(call.x.dtype, call.x.shape)
        result = apply_constants(x, call.constants, call.axes, call.layer.epsilon, runtime=runtime)
    return graph.as_graph_def(), result.name


def _copied(body, mark, definition, result):
    """Copies nodes to the place of a mark; returns what replaces the result of the mark."""
    tensors = {}
    for node in definition.node:
        if node.op == "Placeholder":
            tensors[node.name] = lambda _number: mark.input[0]
            continue
        inputs = [_tensor(tensors, name) for name in node.input]
        copy = body.add_node(node.op, f"{mark.name}/{node.name}", inputs)
        for name, value in node.attr.items():
            copy.attr[name].CopyFrom(value)
        tensors[node.name] = lambda number, copy=copy: body.output(copy, number)
    return _tensor(tensors, result)


def _tensor(tensors, name):
    return tensors[node_name(name)](int(name.partition(":")[2] or 0))
