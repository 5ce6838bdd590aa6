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
            found = optimizer.optimize_graph(found, optimizers=passes)
        return found.make_model("keras-bin")


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
