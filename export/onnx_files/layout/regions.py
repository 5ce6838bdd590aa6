"""Regions of operators that work in any order of axes, and what changing their layout costs."""

from typing import NamedTuple

from . import views
from .operator_axes import (
    broadcast_view,
    drops_axes,
    other_operands,
    reduced_axes,
    tensors_in_one_order,
)


class Region(NamedTuple):
    """Operators whose tensors have their axes in one order.

    Attributes:
        rank: number of axes of each tensor.
        nodes: the operators.
        tensors: names of the tensors that they read and write, which change together.
        produced: names of those that they write.
    """

    rank: int
    nodes: list
    tensors: set[str]
    produced: set[str]


class ViewedTensor(NamedTuple):
    """A view of a tensor that is needed somewhere.

    Attributes:
        tensor: name of the tensor.
        shape: its shape.
        view: the view.
        at_end: whether the tensor is an input of the graph, or the view an output.
    """

    tensor: str
    shape: tuple
    view: views.View
    at_end: bool

    def viewed(self, view, at_end=False):
        """Returns a view of this view."""
        return self._replace(view=views.compose(self.view, view), at_end=self.at_end or at_end)


def find_regions(graph):
    """Yields the regions of a `TensorGraph` whose tensors have at least two axes."""
    groups = {}  # the nodes and tensors of a group, by the name of each of its tensors
    for node in graph.nodes:
        if graph.view_of(node) is not None:
            continue
        together = tensors_in_one_order(graph, node)
        if together is None or len(graph.shape(together[0])) < 2:
            continue
        touched = {id(groups[name]): groups[name] for name in together if name in groups}
        merged = ([node], set(together))
        for nodes, tensors in touched.values():
            merged = (nodes + merged[0], merged[1] | tensors)
        for name in merged[1]:
            groups[name] = merged
    for nodes, tensors in {id(group): group for group in groups.values()}.values():
        produced = {name for node in nodes for name in node.output}
        yield Region(len(graph.shape(next(iter(tensors)))), nodes, tensors, produced)


def outer_views(graph, region, tensor):
    """Yields the views of a region's tensor that are outputs, or that are read by non-views."""
    waiting = [(tensor, views.identity(region.rank))]
    while waiting:
        name, view = waiting.pop()
        for node in graph.consumers[name]:
            step = graph.view_of(node)
            if step is None or name != node.input[0]:
                continue
            made = node.output[0], views.compose(view, step)
            waiting.append(made)
            others = [each for each in graph.consumers[made[0]] if graph.view_of(each) is None]
            if others or made[0] in graph.outputs:
                yield made


def outer_consumers(graph, region, tensor):
    """Returns the nodes outside a region that read a tensor of it and make no view of it."""
    inside = {id(node) for node in region.nodes}
    return [
        node
        for node in graph.consumers[tensor]
        if id(node) not in inside and graph.view_of(node) is None
    ]


def can_adapt(graph, node, tensor, view, rank):
    """Returns whether a node outside a region can read a view instead of the tensor.

    A Shape can, and so can a reduction whose result keeps its axes in the same order.
    """
    if node.op_type == "Shape":
        return not node.attribute
    if not drops_axes(node) or node.input[0] != tensor or reduced_axes(graph, node) is None:
        return False
    axes = reduced_axes(graph, node)
    kept = [axis for axis in view if axis is not None and axis not in axes]
    return kept == sorted(kept)


def cost_of(graph, region, view):
    """Counts the operators needed around a region if views replace its tensors.

    Returns:
        `(inner, transposes, others)`: transposes away from the graph's ends, all transposes, and
        operators that add or drop axes.
    """
    wanted = set()
    for name in region.tensors:
        source = source_after(graph, region, name, view)
        for tensor, through in views_needed(graph, region, name, view):
            wanted.add(source.viewed(through, tensor in graph.outputs))
        if name not in region.produced:
            wanted.add(source.viewed(view))
    for node in region.nodes:
        for _, name in other_operands(graph, node, region.tensors):
            if graph.constant(name) is None:
                through = broadcast_view(graph, name, view, region.rank)
                wanted.add(source_after(graph, region, name, view).viewed(through))
    found = [(views.steps(each.view, each.shape), each.at_end) for each in wanted]
    return (
        sum(bool(steps.order) and not at_end for steps, at_end in found),
        sum(bool(steps.order) for steps, _ in found),
        sum(bool(steps.squeezed) + bool(steps.added) for steps, _ in found),
    )


def source_after(graph, region, tensor, view):
    """Returns what a tensor is a view of, and that view, once a region has changed."""
    source, through = graph.source(tensor)
    shape = graph.shape(source)
    if source in region.produced:
        through = views.compose(views.inverse(view, region.rank), through)
        shape = views.shape_of(view, shape)
    return ViewedTensor(source, tuple(shape), through, source in graph.inputs)


def views_needed(graph, region, tensor, view):
    """Returns what is read of a region's tensor outside if it changes, as names and views."""
    needed = list(outer_views(graph, region, tensor))
    if tensor in graph.outputs or any(
        not can_adapt(graph, node, tensor, view, region.rank)
        for node in outer_consumers(graph, region, tensor)
    ):
        needed.append((tensor, views.identity(region.rank)))
    return needed
