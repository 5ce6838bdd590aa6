"""Moving the transposes that tf2onnx leaves inside a graph to its edges.

Operators that do not mind the order of axes, such as Relu, Add, Concat and Pad, form regions: what
one of them makes and another reads has the same order of axes in both. Where a region as a whole
takes another order, or a further axis of size 1, transposes around it meet their inverse or
appear. A region takes the order that leaves fewest.
"""

from typing import NamedTuple

import numpy as np

from keras_bin.export.onnx_files import views
from keras_bin.export.onnx_files.following import (
    follow,
    followed,
    is_reducing,
    operand_view,
    operands,
    reduced,
    set_reduced,
)
from keras_bin.export.onnx_files.tensor_graph import TensorGraph, has_graphs, set_attribute


def move_transposes_out(proto):
    """Returns an ONNX model with fewer transposes inside, the same one if none can be saved.

    Args:
        proto: an `onnx.ModelProto` of opset 13 or above.
    """
    graph = TensorGraph(proto)
    changed = _shorten(graph)
    refused = set()
    while _change_one(graph, refused):
        changed = True
    return graph.model() if changed else proto


class _Region(NamedTuple):
    """Operators, the tensors that have to be seen through one view, and those that they make."""

    rank: int
    nodes: list
    tensors: set[str]
    made: set[str]


class _Edge(NamedTuple):
    """A view that is needed of a tensor of some shape; whether one end is the graph's own."""

    tensor: str
    sizes: tuple
    view: views.View
    at_edge: bool

    def seen(self, view, at_edge=False):
        """Returns a view of this one."""
        return self._replace(view=views.then(self.view, view), at_edge=self.at_edge or at_edge)


def _regions(graph):
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
        yield _Region(len(graph.sizes(next(iter(tensors)))), nodes, tensors, made)


def _change_one(graph, refused):
    """Lets one region take the view that saves most; returns whether one was tried.

    What a region saves is estimated. A change that does not save anything in the whole graph is
    taken back, and added to those that are refused, so that changes come to an end.
    """
    for region in _regions(graph):
        same = views.identity(region.rank)
        costs = {view: _cost(graph, region, view) for view in (same, *_candidates(graph, region))}
        best = min(costs, key=costs.get)
        change = frozenset(region.tensors), best
        if costs[best] >= costs[same] or change in refused:
            continue
        nodes, before = graph.nodes_as_they_are(), graph.cost()
        _apply(graph, region, best)
        if graph.cost() >= before:
            graph.nodes = nodes
            graph.index()
            refused.add(change)
        return True
    return False


def _candidates(graph, region):
    """Returns the views, other than that which is, that some neighbour of a region has."""
    found = {}
    for name in sorted(region.tensors):
        source, view = graph.source(name)
        found[views.inverse(view, len(graph.sizes(source)))] = None
        for _, view in _ends(graph, region, name):
            found[views.filled(view, region.rank)] = None
    whole = set(range(region.rank))
    found.pop(views.identity(region.rank), None)
    return [view for view in found if whole <= set(view)]


def _ends(graph, region, tensor):
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


def _bound(graph, region, tensor):
    """Returns the nodes outside of a region that read a tensor of it, and are no views."""
    inside = {id(node) for node in region.nodes}
    return [
        node
        for node in graph.readers[tensor]
        if id(node) not in inside and graph.view_of(node) is None
    ]


def _adapts(graph, node, tensor, view, rank):
    """Returns whether a node outside of a region makes the same of any view of what it reads."""
    if node.op_type == "Shape":
        return not node.attribute
    if not is_reducing(node) or node.input[0] != tensor or reduced(graph, node) is None:
        return False
    axes = reduced(graph, node)
    kept = [axis for axis in view if axis is not None and axis not in axes]
    return kept == sorted(kept)


def _cost(graph, region, view):
    """Counts the transposes inside that a region needs, all that it needs, and other steps."""
    edges = set()
    for name in region.tensors:
        root = _root(graph, region, name, view)
        for end, each in _needed(graph, region, name, view):
            edges.add(root.seen(each, end in graph.outputs))
        if name not in region.made:
            edges.add(root.seen(view))
    for node in region.nodes:
        for _, name in operands(graph, node, region.tensors):
            if graph.constant(name) is None:
                through = operand_view(graph, name, view, region.rank)
                edges.add(_root(graph, region, name, view).seen(through))
    found = [(views.steps(edge.view, edge.sizes), edge.at_edge) for edge in edges]
    return (
        sum(bool(order) and not at_edge for (_, order, _), at_edge in found),
        sum(bool(order) for (_, order, _), _ in found),
        sum(bool(squeezed) + bool(added) for (squeezed, _, added), _ in found),
    )


def _root(graph, region, tensor, view):
    """Returns what a tensor is a view of where a region takes a view."""
    source, through = graph.source(tensor)
    sizes = graph.sizes(source)
    if source in region.made:
        through = views.then(views.inverse(view, region.rank), through)
        sizes = views.shape_of(view, sizes)
    return _Edge(source, tuple(sizes), through, source in graph.inputs)


def _needed(graph, region, tensor, view):
    """Returns ends and views of a tensor of a region that are read outside of it."""
    needed = list(_ends(graph, region, tensor))
    bound = _bound(graph, region, tensor)
    if tensor in graph.outputs or any(
        not _adapts(graph, node, tensor, view, region.rank) for node in bound
    ):
        needed.append((tensor, views.identity(region.rank)))
    return needed


def _apply(graph, region, view):
    """Lets a region take a view."""
    renamed, made = {}, {}

    def looked_at(edge):
        name = renamed.get(edge.tensor, edge.tensor) if edge.tensor in region.made else edge.tensor
        key = name, str(views.steps(edge.view, edge.sizes))
        if key not in made:
            made[key] = graph.viewed(name, edge.view)
        return made[key]

    roots = {name: _root(graph, region, name, view) for name in sorted(region.tensors)}
    needed = {name: _needed(graph, region, name, view) for name in roots}
    bound = {name: _bound(graph, region, name) for name in roots}
    others = {
        (id(node), place): _root(graph, region, name, view).seen(
            operand_view(graph, name, view, region.rank)
        )
        for node in region.nodes
        for place, name in operands(graph, node, region.tensors)
    }
    for name in region.made:
        renamed[name] = graph.new_name(name)
        graph.set_sizes(renamed[name], views.shape_of(view, graph.sizes(name)))
    for name, root in roots.items():
        if name not in region.made:
            renamed[name] = looked_at(root.seen(view))
    for node in region.nodes:
        follow(graph, node, view, region.rank)
        for place, name in enumerate(node.input):
            other = others.get((id(node), place))
            node.input[place] = renamed.get(name, name) if other is None else looked_at(other)
        node.output[:] = [renamed[name] for name in node.output]
    for name, nodes in bound.items():
        for node in nodes:
            if _adapts(graph, node, name, view, region.rank):
                _adapt(graph, node, renamed[name], view, region.rank)
    for name, ends in needed.items():
        for end, each in ends:
            if name in region.made or end != name:
                edge = roots[name].seen(each)
                _replace(graph, region, end, edge, looked_at, renamed.get(edge.tensor))
    graph.index()


def _replace(graph, region, end, edge, looked_at, root):
    """Lets all outside of a region that reads `end` read a new view."""
    inside = {id(node) for node in region.nodes}
    readers = [node for node in graph.readers[end] if id(node) not in inside]
    if end in graph.outputs or any(map(has_graphs, readers)):
        graph.nodes = [node for node in graph.nodes if end not in node.output]
        graph.viewed(root if edge.tensor in region.made else edge.tensor, edge.view, end)
        return
    new = looked_at(edge)
    for node in readers:
        node.input[:] = [new if name == end else name for name in node.input]


def _adapt(graph, node, new, view, rank):
    """Lets a node that makes the same of any view read a region's new tensor."""
    back = views.inverse(view, rank)
    if node.op_type == "Shape":
        whole = graph.add_node("Shape", [new], graph.new_name(new), [len(view)])
        places = graph.add_constant(np.array(back, "int64"), whole)
        node.op_type = "Gather"
        node.input[:] = [whole, places]
        set_attribute(node, "axis", 0)
        return
    axes = [back[axis] for axis in reduced(graph, node)]
    axes += [place for place, axis in enumerate(view) if axis is None]
    node.input[0] = new
    set_reduced(graph, node, sorted(axes))


def _shorten(graph):
    """Puts fewer steps in place of chains of views; returns whether there were such."""
    shorter = False
    for node in list(graph.nodes):
        end = node.output[0]
        readers = [each for each in graph.readers[end] if graph.view_of(each) is None]
        if graph.view_of(node) is None or not (readers or end in graph.outputs):
            continue
        source, view = graph.source(end)
        squeezed, order, added = views.steps(view, graph.sizes(source))
        length = bool(squeezed) + bool(order) + bool(added)
        chain = _chain(graph, end)
        if (bool(order), length) >= (chain.count("Transpose"), len(chain)):
            continue
        shorter = True
        if end in graph.outputs or any(map(has_graphs, readers)):
            graph.nodes = [each for each in graph.nodes if end not in each.output]
            graph.viewed(source, view, end)
            continue
        new = graph.viewed(source, view)
        for each in readers:
            each.input[:] = [new if name == end else name for name in each.input]
    graph.index()
    return shorter


def _chain(graph, tensor):
    """Returns the operators of the views that a tensor is made by."""
    node = graph.makers.get(tensor)
    if node is None or graph.view_of(node) is None:
        return []
    return [node.op_type, *_chain(graph, node.input[0])]
