"""Operators that compute the same where all they read and make is seen through one view."""

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
# With an attribute `axis`, and its default. Gather only keeps the number of axes by a vector.
_ALONG = {"Concat": None, "Gather": 0, "LogSoftmax": -1, "Softmax": -1, "Split": 0}
_REDUCING = ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
             "ReduceSum", "ReduceSumSquare")  # fmt: skip

_FIRST_ONLY = frozenset((*_ALONG, *_REDUCING, "Pad", "Slice", "Squeeze", "Tile", "Unsqueeze"))


def followed(graph, node) -> list[str] | None:
    """Returns the tensors that have to be seen through one view, None if a node is bound.

    Other inputs are constants or have fewer axes.

    Args:
        graph: a `TensorGraph`.
        node: one of its nodes.
    """
    kind = node.op_type
    names = [name for name in node.input if name]
    shapes = [graph.sizes(name) for name in (*names, *node.output)]
    if has_graphs(node) or None in shapes or not names:
        return None
    rank = len(graph.sizes(node.output[0]))
    if kind in _ELEMENTWISE:
        wide = [name for name in names if _is_wide(graph, name, rank)]
        fits = wide and all(len(graph.sizes(name)) <= rank for name in names)
    elif kind == "Concat":
        wide, fits = [name for name in names if _is_wide(graph, name, rank)], True
    else:
        wide = names[:1]
        fits = _is_wide(graph, names[0], rank) and _is_fit(graph, node, kind)
    return [*wide, *node.output] if fits else None


def _is_wide(graph, name, rank):
    return graph.constant(name) is None and len(graph.sizes(name)) == rank


def _is_fit(graph, node, kind):
    if kind == "Gather":
        return len(graph.sizes(node.input[1])) == 1
    if kind in _REDUCING:
        return attribute(node, "keepdims", 1) == 1 and reduced(graph, node) is not None
    if kind == "Pad":
        return len(node.input) < 4 and graph.constant(node.input[1]) is not None
    if kind == "Slice":
        return len(node.input) > 3 and graph.constant(node.input[3]) is not None
    if kind == "Tile":
        return graph.constant(node.input[1]) is not None
    return kind in _ALONG


def is_reducing(node) -> bool:
    """Returns whether a node is a reduction that drops the axes which it reduces."""
    return node.op_type in _REDUCING and attribute(node, "keepdims", 1) == 0


def reduced(graph, node) -> list[int] | None:
    """Returns the axes that a node reduces, None if they are not known."""
    axes = attribute(node, "axes")
    if len(node.input) > 1 and node.input[1]:
        axes = graph.constant(node.input[1])
    if axes is None:
        return None
    rank = len(graph.sizes(node.input[0]))
    return [int(axis) % rank for axis in axes]


def set_reduced(graph, node, axes) -> None:
    """Lets a node reduce other axes."""
    if len(node.input) > 1:
        node.input[1] = graph.add_constant(np.array(axes, "int64"), node.input[1])
    else:
        set_attribute(node, "axes", axes)


def connected(node, constants) -> list[str]:
    """Returns the tensors whose axes are those of what a node makes, and that; none if it is bound.

    Args:
        node: a node of an ONNX graph.
        constants: names to leave out.
    """
    names = []
    if node.op_type in _ELEMENTWISE or node.op_type == "Concat":
        names = [*node.input, *node.output]
    elif node.op_type in _FIRST_ONLY and not is_reducing(node):
        names = [node.input[0], *node.output]
    return [name for name in names if name and name not in constants]


def operands(graph, node, wide) -> list[tuple[int, str]]:
    """Returns place and name of what an elementwise node or a Concat reads beside `wide`."""
    if node.op_type != "Concat" and node.op_type not in _ELEMENTWISE:
        return []
    return [
        (place, name)
        for place, name in enumerate(node.input)
        if name and name not in wide and (node.op_type == "Concat" or not _is_one(graph, name))
    ]


def _is_one(graph, name):
    return all(size == 1 for size in graph.sizes(name))


def operand_view(graph, name, view, rank) -> views.View:
    """Returns the view of what is broadcast to tensors of `rank` axes that have a view."""
    missing = rank - len(graph.sizes(name))
    return tuple(None if axis is None or axis < missing else axis - missing for axis in view)


def follow(graph, node, view, rank) -> None:
    """Changes what a node states of axes.

    Args:
        graph: a `TensorGraph`.
        node: one of its nodes.
        view: that its tensors are seen through.
        rank: number of axes that they had.
    """
    back = views.inverse(view, rank)
    kind = node.op_type
    if kind in _ALONG:
        axis = attribute(node, "axis", _ALONG[kind])
        set_attribute(node, "axis", back[axis % rank])
    elif kind in _REDUCING:
        set_reduced(graph, node, [back[axis] for axis in reduced(graph, node)])
    elif kind == "Slice":
        axes = graph.constant(node.input[3])
        moved = np.array([back[int(axis) % rank] for axis in axes], axes.dtype)
        node.input[3] = graph.add_constant(moved, node.input[3])
    elif kind == "Pad":
        pads = graph.constant(node.input[1]).reshape(2, rank)
        moved = [[0 if axis is None else each[axis] for axis in view] for each in pads]
        node.input[1] = graph.add_constant(np.array(moved, "int64").ravel(), node.input[1])
    elif kind == "Tile":
        repeats = graph.constant(node.input[1])
        moved = [1 if axis is None else repeats[axis] for axis in view]
        node.input[1] = graph.add_constant(np.array(moved, "int64"), node.input[1])
