"""Operators that work in any order of axes, and the axes that they state."""

from typing import Any

import numpy as np

from . import views
from .tensor_graph import attribute, has_graphs, set_attribute

_ELEMENTWISE = frozenset(
    (
        *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil"),
        *("Celu", "Clip", "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Greater"),
        *("GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu"),
        *("Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not"),
        *("Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin"),
        *("Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tan", "Tanh", "ThresholdedRelu"),
        *("Where", "Xor"),
    )
)
# Operators with an attribute `axis`, and its default.
_WITH_AXIS = {"Concat": None, "Gather": 0, "LogSoftmax": -1, "Softmax": -1, "Split": 0}
_REDUCING = ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
             "ReduceSum", "ReduceSumSquare")  # fmt: skip

_BY_FIRST_INPUT = frozenset(
    (*_WITH_AXIS, *_REDUCING, "Pad", "Slice", "Squeeze", "Tile", "Unsqueeze")
)


def tensors_in_one_order(graph, node) -> list[str] | None:
    """Returns the tensors of a node that must all have their axes in one order.

    None stands for a node with a fixed order. Other inputs are constants, or have fewer axes.

    Args:
        graph: a `TensorGraph`.
        node: one of its nodes.
    """
    kind = node.op_type
    names = [name for name in node.input if name]
    shapes = [graph.shape(name) for name in (*names, *node.output)]
    if has_graphs(node) or None in shapes or not names:
        return None
    rank = len(graph.shape(node.output[0]))
    if kind in _ELEMENTWISE:
        found = [name for name in names if _has_rank(graph, name, rank)]
        fits = found and all(len(graph.shape(name)) <= rank for name in names)
    elif kind == "Concat":
        found, fits = [name for name in names if _has_rank(graph, name, rank)], True
    else:
        found = names[:1]
        fits = _has_rank(graph, names[0], rank) and _takes_any_order(graph, node, kind)
    return [*found, *node.output] if fits else None


def _has_rank(graph, name, rank):
    return graph.constant(name) is None and len(graph.shape(name)) == rank


def _takes_any_order(graph, node, kind):
    if kind == "Gather":  # by a vector, which leaves the number of axes as it is
        return len(graph.shape(node.input[1])) == 1
    if kind in _REDUCING:
        return attribute(node, "keepdims", 1) == 1 and reduced_axes(graph, node) is not None
    if kind == "Pad":
        return len(node.input) < 4 and graph.constant(node.input[1]) is not None
    if kind == "Slice":
        return len(node.input) > 3 and graph.constant(node.input[3]) is not None
    if kind == "Tile":
        return graph.constant(node.input[1]) is not None
    return kind in _WITH_AXIS


def drops_axes(node) -> bool:
    """Returns whether a node is a reduction without `keepdims`."""
    return node.op_type in _REDUCING and attribute(node, "keepdims", 1) == 0


def reduced_axes(graph, node) -> list[int] | None:
    """Returns the axes that a reduction runs over, or None if they are not known."""
    axes = attribute(node, "axes")
    if len(node.input) > 1 and node.input[1]:
        axes = graph.constant(node.input[1])
    if axes is None:
        return None
    rank = len(graph.shape(node.input[0]))
    return [int(axis) % rank for axis in axes]


def set_reduced_axes(graph, node, axes) -> None:
    """Makes a reduction run over other axes."""
    if len(node.input) > 1:
        node.input[1] = graph.add_constant(np.array(axes, "int64"), node.input[1])
    else:
        set_attribute(node, "axes", axes)


def connected_tensors(node, constants) -> list[str]:
    """Returns the tensors of a node that have their axes in one order, whatever it is.

    Unlike `tensors_in_one_order`, this needs no shapes. The list is empty for a node with a fixed
    order.

    Args:
        node: a node of an ONNX graph.
        constants: names to leave out.
    """
    names = []
    if node.op_type in _ELEMENTWISE or node.op_type == "Concat":
        names = [*node.input, *node.output]
    elif node.op_type in _BY_FIRST_INPUT and not drops_axes(node):
        names = [node.input[0], *node.output]
    return [name for name in names if name and name not in constants]


def other_operands(graph, node, tensors) -> list[tuple[int, str]]:
    """Returns the place and name of what an elementwise node or Concat reads besides `tensors`.

    Scalars are left out, as every view of them is the same.
    """
    if node.op_type != "Concat" and node.op_type not in _ELEMENTWISE:
        return []
    return [
        (place, name)
        for place, name in enumerate(node.input)
        if name and name not in tensors and (node.op_type == "Concat" or not _is_one(graph, name))
    ]


def _is_one(graph, name):
    return all(size == 1 for size in graph.shape(name))


def broadcast_view(graph, name, view, rank) -> views.View:
    """Returns the view of an operand that matches a view of the `rank` axes it broadcasts to."""
    missing = rank - len(graph.shape(name))
    return tuple(None if axis is None or axis < missing else axis - missing for axis in view)


def restate_axes(graph, node, view, rank) -> None:
    """Changes the axes that a node states to those of a view.

    Args:
        graph: a `TensorGraph`.
        node: one of its nodes.
        view: the view of its tensors that the node is to read and write.
        rank: number of axes of these tensors.
    """
    back = views.inverse(view, rank)
    kind = node.op_type
    if kind in _WITH_AXIS:
        axis = attribute(node, "axis", _WITH_AXIS[kind])
        set_attribute(node, "axis", back[axis % rank])
    elif kind in _REDUCING:
        reduced: Any = reduced_axes(graph, node)  # known, as the node belongs to a region
        set_reduced_axes(graph, node, [back[axis] for axis in reduced])
    elif kind == "Slice":
        axes = graph.constant(node.input[3])
        moved = np.array([back[int(axis) % rank] for axis in axes], axes.dtype)
        node.input[3] = graph.add_constant(moved, node.input[3])
    elif kind == "Pad":
        pads = graph.constant(node.input[1]).reshape(2, rank)
        moved = np.array([[0 if a is None else each[a] for a in view] for each in pads], "int64")
        node.input[1] = graph.add_constant(moved.ravel(), node.input[1])
    elif kind == "Tile":
        repeats = graph.constant(node.input[1])
        moved = np.array([1 if axis is None else repeats[axis] for axis in view], "int64")
        node.input[1] = graph.add_constant(moved, node.input[1])
