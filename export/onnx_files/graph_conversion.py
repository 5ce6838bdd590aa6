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
        found = optimizer.optimize_graph(found, optimizers=_passes(_FIRST))
        if not any(map(_computes_its_shape, found.get_nodes())):
            return found.make_model(_NAME)
        first = found.make_model(_NAME)
        second = optimizer.optimize_graph(found, optimizers=_passes(_SECOND)).make_model(_NAME)
        return second if _ranks(second) == _ranks(first) else first


def _computes_its_shape(node):
    return node.type == "Reshape" and not node.inputs[1].is_const()


def _ranks(model):
    """Returns the number of axes of each output; the second round breaks them in some graphs."""
    import onnx

    inferred = onnx.ModelProto()
    inferred.CopyFrom(model)
    for value in inferred.graph.output:
        value.type.tensor_type.ClearField("shape")
    outputs = onnx.shape_inference.infer_shapes(inferred, data_prop=True).graph.output
    return {value.name: len(value.type.tensor_type.shape.dim) for value in outputs}


def _passes(names):
    from tf2onnx import optimizer

    passes = {name: getattr(optimizer, name) for name in names}
    if "GlobalPoolOptimizer" in passes:
        passes["GlobalPoolOptimizer"] = _pools_of_pictures()
    return passes


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


_NAME = "keras-bin"
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
