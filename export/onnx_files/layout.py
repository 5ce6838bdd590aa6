"""Moving the transposes that tf2onnx leaves inside a graph to its edges.

Operators that do not mind the order of axes, such as Relu, Add, Concat and Pad, form regions: what
one of them makes and another reads has the same order of axes in both. Where a region as a whole
takes another order, or a further axis of size 1, transposes around it meet their inverse or
appear. A region takes the order that leaves fewest.
"""

import numpy as np

from . import views
from .following import (
    follow,
    operand_view,
    operands,
    reduced,
    set_reduced,
)
from .regions import (
    adapts,
    all_regions,
    bound_by,
    cost_of,
    ends_of,
    needed_views,
    root_of,
)
from .tensor_graph import TensorGraph, has_graphs, set_attribute


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


def _change_one(graph, refused):
    """Lets one region take the view that saves most; returns whether one was tried.

    What a region saves is estimated. A change that does not save anything in the whole graph is
    taken back, and added to those that are refused, so that changes come to an end.
    """
    for region in all_regions(graph):
        same = views.identity(region.rank)
        costs = {view: cost_of(graph, region, view) for view in (same, *_candidates(graph, region))}
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
        for _, view in ends_of(graph, region, name):
            found[views.filled(view, region.rank)] = None
    whole = set(range(region.rank))
    found.pop(views.identity(region.rank), None)
    return [view for view in found if whole <= set(view)]


def _apply(graph, region, view):
    """Lets a region take a view."""
    renamed, made = {}, {}

    def looked_at(edge):
        name = renamed.get(edge.tensor, edge.tensor) if edge.tensor in region.made else edge.tensor
        key = name, str(views.steps(edge.view, edge.sizes))
        if key not in made:
            made[key] = graph.viewed(name, edge.view)
        return made[key]

    roots = {name: root_of(graph, region, name, view) for name in sorted(region.tensors)}
    needed = {name: needed_views(graph, region, name, view) for name in roots}
    bound = {name: bound_by(graph, region, name) for name in roots}
    others = {
        (id(node), place): root_of(graph, region, name, view).seen(
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
            if adapts(graph, node, name, view, region.rank):
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
