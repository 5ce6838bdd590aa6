"""Converting a frozen graph of TensorFlow by tf2onnx."""

from collections.abc import Mapping


def converted_graph(
    definition,
    inputs: list[str],
    outputs: list[str],
    names: Mapping[str, str],
    opset: int,
    handlers: Mapping,
):
    """Returns the `onnx.ModelProto` of a GraphDef.

    tf2onnx's optimizers run in two rounds, as 1.17 gives wrong shapes otherwise: once shapes of
    Reshape are constants, a 0 in them copies a size of what is read, and may no longer be merged
    with the Reshape before.

    Args:
        definition: the GraphDef, which has no variables.
        inputs: names of the tensors that are fed.
        outputs: names of the tensors that are returned.
        names: maps some of these tensors to their names in the ONNX model.
        opset: version of the ONNX operator set.
        handlers: converters of operators; see tf2onnx's `custom_op_handlers`.
    """
    import tensorflow as tf
    from tf2onnx import optimizer, tf_loader, tfonnx

    with tf.device("/cpu:0"), tf.Graph().as_default() as graph:
        definition = tf_loader.tf_optimize(inputs, outputs, definition)
        tf.graph_util.import_graph_def(definition, name="")
        found = tfonnx.process_tf_graph(
            graph,
            continue_on_error=True,
            opset=opset,
            custom_op_handlers=dict(handlers),
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=dict(names),
        )
        for names_of_passes in (_FIRST, _SECOND):
            passes = {name: getattr(optimizer, name) for name in names_of_passes}
            if "GlobalPoolOptimizer" in passes:
                passes["GlobalPoolOptimizer"] = _pools_of_pictures()
            found = optimizer.optimize_graph(found, optimizers=passes)
        return found.make_model("keras-bin")


def _pools_of_pictures():
    """Returns tf2onnx's optimizer that makes pools of reductions, but for those of series.

    There it would take the mean over channels, as of a layer normalization, for a pool.
    """
    from tf2onnx.optimizer import GlobalPoolOptimizer

    class Optimizer(GlobalPoolOptimizer):
        """Knows pictures and volumes alone."""

        def _optimize_reduce(self, node, graph):
            return graph.get_rank(node.input[0]) != 3 and super()._optimize_reduce(node, graph)

    return Optimizer


_FIRST = (
    "TransposeOptimizer",
    "UpsampleOptimizer",
    "ConstFoldOptimizer",
    "LoopOptimizer",
    "MergeDuplicatedNodesOptimizer",
    "GlobalPoolOptimizer",
    "IdentityOptimizer",
    "BackToBackOptimizer",
    "EinsumOptimizer",
)
_SECOND = (
    "ReshapeOptimizer",
    "ConstFoldOptimizer",
    "MergeDuplicatedNodesOptimizer",
    "IdentityOptimizer",
)
