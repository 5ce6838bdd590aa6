"""All private names of tf2onnx that the exporter uses.

Checked on tf2onnx 1.17.0. The public function for all of this is `tf2onnx.convert.from_graph_def`,
which runs tf2onnx's optimizers in its own order; see `onnx_files.graph_conversion`.
"""

from collections.abc import Mapping, Sequence


def optimized_definition(inputs: list[str], outputs: list[str], definition):
    """Lets TensorFlow optimize a GraphDef, as tf2onnx does before it converts one."""
    from tf2onnx import tf_loader

    return tf_loader.tf_optimize(inputs, outputs, definition)


def converted(
    graph,
    inputs: list[str],
    outputs: list[str],
    names: Mapping[str, str],
    opset: int,
    handlers: Mapping,
):
    """Converts a `tf.Graph` to tf2onnx's graph of ONNX operators.

    Args:
        graph: the graph.
        inputs: names of the tensors that are fed.
        outputs: names of the tensors that are returned.
        names: maps some of these tensors to their names in the ONNX model.
        opset: version of the ONNX operator set.
        handlers: converters of operators; see tf2onnx's `custom_op_handlers`.
    """
    from tf2onnx import tfonnx

    return tfonnx.process_tf_graph(
        graph,
        continue_on_error=True,
        opset=opset,
        custom_op_handlers=dict(handlers),
        input_names=inputs,
        output_names=outputs,
        tensors_to_rename=dict(names),
    )


def optimized(graph, names: Sequence[str], skip_failing: bool = False):
    """Runs some of tf2onnx's optimizers, by the names of their classes, on its graph.

    Public: `tf2onnx.optimizer.optimize_graph`, which copies the graph and its weights several times
    for each optimizer; this took most of the time of an export. Here it runs only for graphs with
    loops, whose bodies are updated in one of these copies, or to skip optimizers that fail.

    Args:
        graph: the graph; it is changed in place if it has no loops.
        names: class names of the optimizers.
        skip_failing: whether to skip an optimizer that fails, which needs the copies, too.

    Raises:
        Exception: an optimizer fails, and `skip_failing` is False.
    """
    from tf2onnx import optimizer

    passes = {name: getattr(optimizer, name) for name in names}
    if "GlobalPoolOptimizer" in passes:
        passes["GlobalPoolOptimizer"] = _pools_of_pictures()
    if skip_failing or graph.contained_graphs:
        return optimizer.optimize_graph(graph, optimizers=passes)
    changed, iteration = True, 0
    while changed:
        changed = False
        for make in passes.values():
            each = make()
            each.opt_iteration = iteration
            graph = each._optimize(graph) or graph
            graph.delete_unused_nodes(graph.outputs)
            changed = changed or each.graph_been_opt
        iteration += 1
    graph.topological_sort(graph.get_nodes())
    return graph


def _pools_of_pictures():
    """Returns tf2onnx's optimizer that turns reductions into pooling, except for series.

    In a series, it would take the mean over channels, as in layer normalization, for pooling.
    """
    from tf2onnx.optimizer import GlobalPoolOptimizer

    class Optimizer(GlobalPoolOptimizer):
        """Leaves out tensors of rank 3."""

        def _optimize_reduce(self, node, graph):
            return graph.get_rank(node.input[0]) != 3 and super()._optimize_reduce(node, graph)

    return Optimizer


def new_name(start: str) -> str:
    """Returns an unused node name that starts with `start`."""
    from tf2onnx.utils import make_name

    return make_name(start)
