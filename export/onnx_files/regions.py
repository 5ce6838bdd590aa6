"""Regions of operators that do not mind the order of axes, and what a region needs around it."""

from typing import NamedTuple

from . import views
from .following import (
    followed,
    is_reducing,
    operand_view,
    operands,
    reduced,
)


class Region(NamedTuple):
    """Operators, the tensors that have to be seen through one view, and those that they make."""

    rank: int
    nodes: list
    tensors: set[str]
    made: set[str]


class Edge(NamedTuple):
    """A view that is needed of a tensor of some shape; whether one end is the graph's own."""

    tensor: str
    sizes: tuple
    view: views.View
    at_edge: bool

    def seen(self, view, at_edge=False):
        """Returns a view of this one."""
        return self._replace(view=views.then(self.view, view), at_edge=self.at_edge or at_edge)


def all_regions(graph):
    """Yields the regions of a `TensorGraph` whose tensors have two axes or more."""
    groups = {}  # tensors to the group that they are in
    for node in graph.nodes:
        if graph.view_of(node) is not None:
            continue
        wide = followed(graph, node)
        if wide is None or len(graph.sizes(wide[0])) < 2:
            continue
        members = {id(groups[name]): groups[name] for name in wide if name in groups}
        merged = ([node], set(wide))
        for nodes, tensors in members.values():
            merged = (nodes + merged[0], merged[1] | tensors)
        for name in merged[1]:
            groups[name] = merged
    for nodes, tensors in {id(group): group for group in groups.values()}.values():
        made = {name for node in nodes for name in node.output}
        yield Region(len(graph.sizes(next(iter(tensors)))), nodes, tensors, made)


def ends_of(graph, region, tensor):
    """Yields the tensors that are views of one in a region, and are not only looked at further."""
    waiting = [(tensor, views.identity(region.rank))]
    while waiting:
        name, view = waiting.pop()
        for node in graph.readers[name]:
            step = graph.view_of(node)
            if step is None or name != node.input[0]:
                continue
            end = node.output[0], views.then(view, step)
            waiting.append(end)
            others = [each for each in graph.readers[end[0]] if graph.view_of(each) is None]
            if others or end[0] in graph.outputs:
                yield end


def bound_by(graph, region, tensor):
    """Returns the nodes outside of a region that read a tensor of it, and are no views."""
    inside = {id(node) for node in region.nodes}
    return [
        node
        for node in graph.readers[tensor]
        if id(node) not in inside and graph.view_of(node) is None
    ]


def adapts(graph, node, tensor, view, rank):
    """Returns whether a node outside of a region makes the same of any view of what it reads."""
    if node.op_type == "Shape":
        return not node.attribute
    if not is_reducing(node) or node.input[0] != tensor or reduced(graph, node) is None:
        return False
    axes = reduced(graph, node)
    kept = [axis for axis in view if axis is not None and axis not in axes]
    return kept == sorted(kept)


def cost_of(graph, region, view):
    """Counts the transposes inside that a region needs, all that it needs, and other steps."""
    edges = set()
    for name in region.tensors:
        root = root_of(graph, region, name, view)
        for end, each in needed_views(graph, region, name, view):
            edges.add(root.seen(each, end in graph.outputs))
        if name not in region.made:
            edges.add(root.seen(view))
    for node in region.nodes:
        for _, name in operands(graph, node, region.tensors):
            if graph.constant(name) is None:
                through = operand_view(graph, name, view, region.rank)
                edges.add(root_of(graph, region, name, view).seen(through))
    found = [(views.steps(edge.view, edge.sizes), edge.at_edge) for edge in edges]
    return (
        sum(bool(order) and not at_edge for (_, order, _), at_edge in found),
        sum(bool(order) for (_, order, _), _ in found),
        sum(bool(squeezed) + bool(added) for (squeezed, _, added), _ in found),
    )


def root_of(graph, region, tensor, view):
    """Returns what a tensor is a view of where a region takes a view."""
    source, through = graph.source(tensor)
    sizes = graph.sizes(source)
    if source in region.made:
        through = views.then(views.inverse(view, region.rank), through)
        sizes = views.shape_of(view, sizes)
    return Edge(source, tuple(sizes), through, source in graph.inputs)


def needed_views(graph, region, tensor, view):
    """Returns ends and views of a tensor of a region that are read outside of it."""
    needed = list(ends_of(graph, region, tensor))
    bound = bound_by(graph, region, tensor)
    if tensor in graph.outputs or any(
        not adapts(graph, node, tensor, view, region.rank) for node in bound
    ):
        needed.append((tensor, views.identity(region.rank)))
    return needed
