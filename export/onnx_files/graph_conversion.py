"""Converting a frozen TensorFlow graph with tf2onnx."""

import functools
from collections.abc import Mapping

from ..tf2onnx_internals import converted, optimized, optimized_definition


def converted_graph(
    definition,
    inputs: list[str],
    outputs: list[str],
    names: Mapping[str, str],
    opset: int,
    handlers: Mapping,
):
    """Returns the `onnx.ModelProto` of a GraphDef.

    tf2onnx's optimizers run in two rounds, as a single round gives wrong shapes in tf2onnx 1.17:
    once the shape of a Reshape is a constant, a 0 in it copies a size of the input, so the Reshape
    must no longer be merged with one before it.

    Args:
        definition: the GraphDef, which has no variables.
        inputs: names of the tensors that are fed.
        outputs: names of the tensors that are returned.
        names: maps some of these tensors to their names in the ONNX model.
        opset: version of the ONNX operator set.
        handlers: converters of operators; see tf2onnx's `custom_op_handlers`.
    """
    import tensorflow as tf

    with tf.device("/cpu:0"), tf.Graph().as_default() as graph:
        definition = optimized_definition(inputs, outputs, definition)
        tf.graph_util.import_graph_def(definition, name="")
        convert = functools.partial(converted, graph, inputs, outputs, names, opset, handlers)
        found = convert()
        try:
            return _optimized_model(found)
        except Exception:  # an optimizer may raise anything, and leave its work half-done
            return _optimized_model(convert(), skip_failing=True)


def _optimized_model(graph, skip_failing=False):
    graph = optimized(graph, _FIRST, skip_failing)
    first = graph.make_model(_NAME)
    if not any(map(_computes_its_shape, graph.get_nodes())):
        return first
    second = optimized(graph, _SECOND, skip_failing).make_model(_NAME)
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
