"""Moving the transposes that tf2onnx leaves inside a graph to the ends of the graph.

Operators that work in any order of axes, such as Relu, Add, Concat and Pad, form regions. A region
can change its layout as a whole: its axes change their order, or get one more of size 1. Then
transposes around it cancel out, or new ones are needed. Each region gets the layout that needs the
fewest.
"""

import numpy as np

from . import views
from .operator_axes import (
    broadcast_view,
    other_operands,
    reduced_axes,
    restate_axes,
    set_reduced_axes,
)
from .regions import (
    can_adapt,
    cost_of,
    find_regions,
    outer_consumers,
    outer_views,
    source_after,
    views_needed,
)
from .tensor_graph import TensorGraph, has_graphs, set_attribute


def move_transposes_out(proto):
    """Returns an ONNX model with fewer transposes inside, or the same model if none can be saved.

    Args:
        proto: an `onnx.ModelProto` of opset 13 or above.
    """
    graph = TensorGraph(proto)
    changed = _shorten_chains(graph)
    refused = set()
    while _improve_one_region(graph, refused):
        changed = True
    return graph.model() if changed else proto


def _improve_one_region(graph, refused):
    """Changes one region to the layout that saves most; returns whether a change was tried.

    The savings of a region are an estimate. A change that saves nothing in the whole graph is
    undone and never tried again, so the search ends.
    """
    for region in find_regions(graph):
        unchanged = views.identity(region.rank)
        candidates = (unchanged, *_candidates(graph, region))
        costs = {view: cost_of(graph, region, view) for view in candidates}
        best = min(costs, key=costs.get)
        change = frozenset(region.tensors), best
        if costs[best] >= costs[unchanged] or change in refused:
            continue
        nodes, before = graph.copied_nodes(), graph.cost()
        _change_layout(graph, region, best)
        if graph.cost() >= before:
            graph.nodes = nodes
            graph.refresh()
            refused.add(change)
        return True
    return False


def _candidates(graph, region):
    """Returns the other layouts that neighbours of a region have, as views of the present one."""
    found = {}
    for name in sorted(region.tensors):
        source, view = graph.source(name)
        found[views.inverse(view, len(graph.shape(source)))] = None
        for _, view in outer_views(graph, region, name):
            found[views.with_dropped_axes(view, region.rank)] = None
    found.pop(views.identity(region.rank), None)
    return [view for view in found if set(range(region.rank)) <= set(view)]


def _change_layout(graph, region, view):
    """Replaces the tensors of a region by views of them."""
    renamed, made = {}, {}  # made: the nodes of each view are added only once

    def tensor_for(wanted):
        name = wanted.tensor
        if name in region.produced:
            name = renamed.get(name, name)
        key = name, str(views.steps(wanted.view, wanted.shape))
        if key not in made:
            made[key] = graph.add_view(name, wanted.view)
        return made[key]

    # Read everything from the graph before it changes.
    sources = {name: source_after(graph, region, name, view) for name in sorted(region.tensors)}
    needed = {name: views_needed(graph, region, name, view) for name in sources}
    consumers = {name: outer_consumers(graph, region, name) for name in sources}
    others = {
        (id(node), place): source_after(graph, region, name, view).viewed(
            broadcast_view(graph, name, view, region.rank)
        )
        for node in region.nodes
        for place, name in other_operands(graph, node, region.tensors)
    }
    for name in region.produced:
        renamed[name] = graph.new_name(name)
        graph.set_shape(renamed[name], views.shape_of(view, graph.shape(name)))
    for name, source in sources.items():
        if name not in region.produced:
            renamed[name] = tensor_for(source.viewed(view))
    for node in region.nodes:
        restate_axes(graph, node, view, region.rank)
        for place, name in enumerate(node.input):
            other = others.get((id(node), place))
            node.input[place] = renamed.get(name, name) if other is None else tensor_for(other)
        node.output[:] = [renamed[name] for name in node.output]
    for name, nodes in consumers.items():
        for node in nodes:
            if can_adapt(graph, node, name, view, region.rank):
                _adapt(graph, node, renamed[name], view, region.rank)
    for name, outer in needed.items():
        for tensor, through in outer:
            if name in region.produced or tensor != name:
                wanted = sources[name].viewed(through)
                new = renamed.get(wanted.tensor)
                _replace_reads(graph, region, tensor, wanted, tensor_for, new)
    graph.refresh()


def _replace_reads(graph, region, tensor, wanted, tensor_for, new):
    """Makes every reader of `tensor` outside a region read a view of the region's new tensors."""
    inside = {id(node) for node in region.nodes}
    consumers = [node for node in graph.consumers[tensor] if id(node) not in inside]
    if tensor in graph.outputs or any(map(has_graphs, consumers)):  # it has to keep its name
        graph.nodes = [node for node in graph.nodes if tensor not in node.output]
        source = new if wanted.tensor in region.produced else wanted.tensor
        graph.add_view(source, wanted.view, tensor)
        return
    _rename_reads(consumers, tensor, tensor_for(wanted))


def _rename_reads(nodes, old, new):
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]


def _adapt(graph, node, new, view, rank):
    """Makes a Shape or a reduction outside a region read a view, with an unchanged result."""
    back = views.inverse(view, rank)
    if node.op_type == "Shape":
        shape = graph.add_node("Shape", [new], graph.new_name(new), [len(view)])
        places = graph.add_constant(np.array(back, "int64"), shape)
        node.op_type = "Gather"
        node.input[:] = [shape, places]
        set_attribute(node, "axis", 0)
        return
    axes = [back[axis] for axis in reduced_axes(graph, node)]
    axes += [place for place, axis in enumerate(view) if axis is None]
    node.input[0] = new
    set_reduced_axes(graph, node, sorted(axes))


def _shorten_chains(graph):
    """Replaces chains of views with shorter ones; returns whether there were any."""
    shorter = False
    for node in list(graph.nodes):
        tensor = node.output[0]
        consumers = [each for each in graph.consumers[tensor] if graph.view_of(each) is None]
        if graph.view_of(node) is None or not (consumers or tensor in graph.outputs):
            continue
        source, view = graph.source(tensor)
        steps = views.steps(view, graph.shape(source))
        chain = _operators_of_chain(graph, tensor)
        if (bool(steps.order), sum(map(bool, steps))) >= (chain.count("Transpose"), len(chain)):
            continue
        shorter = True
        if tensor in graph.outputs or any(map(has_graphs, consumers)):  # it has to keep its name
            graph.nodes = [each for each in graph.nodes if tensor not in each.output]
            graph.add_view(source, view, tensor)
        else:
            _rename_reads(consumers, tensor, graph.add_view(source, view))
    graph.refresh()
    return shorter


def _operators_of_chain(graph, tensor):
    """Returns the operators that make a tensor as a view of its source, the last one first."""
    node = graph.producers.get(tensor)
    if node is None or graph.view_of(node) is None:
        return []
    return [node.op_type, *_operators_of_chain(graph, node.input[0])]
