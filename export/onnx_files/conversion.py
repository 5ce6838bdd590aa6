"""Converting the traced graph of a model to ONNX."""

from keras_bin.stages import begin_stage

from ..preparation import Preparation
from ..results.errors import OperatorError
from ..tracing.dilated import join_dilated_convolutions
from ..tracing.forms import MARK_OPERATOR
from ..tracing.frozen_graph import node_name
from .external import ExternalWeights
from .graph_conversion import converted_graph
from .handlers import handlers
from .layout.moving import move_transposes_out
from .lowering import converter


def convert(prepared: Preparation, opset: int, lowering: str, external: ExternalWeights):
    """Returns the ONNX model of a Keras model, and what became of its normalization layers.

    Args:
        prepared: the model.
        opset: version of the ONNX operator set.
        lowering: one of `keras_bin.export.onnx_files.lowering.LOWERINGS`.
        external: the weights to keep out of the model.

    Raises:
        OperatorError: the model needs lookup tables or variables, or operators that ONNX does
            not have.
    """
    signature = prepared.exported.signature
    export_graph = prepared.graph(arithmetic=False, weights=external.weights)
    begin_stage("convert")
    graph = export_graph.graph.copy()
    graph.drop_assignments()
    join_dilated_convolutions(graph)
    _refuse_captured(graph)
    names = [info.name for info in signature.inputs]
    lower = converter(export_graph.calls, export_graph.partly_absorbed, lowering, prepared.runtime)
    proto = converted_graph(
        graph.definition,
        graph.inputs,
        list(graph.outputs.values()),
        {
            **dict(zip(graph.inputs, names)),  # noqa: B905, weights come after them
            **{tensor: name for name, tensor in graph.outputs.items()},
        },
        opset,
        {
            **handlers(),
            MARK_OPERATOR: (lower, []),
        },
    )
    proto = move_transposes_out(proto)
    _refuse_foreign_operators(proto)
    external.move_out(
        proto, [graph.values[tensor] for tensor in graph.inputs[len(signature.inputs) :]]
    )
    _set_names_and_sizes(proto.graph.input, signature.inputs)
    _set_names_and_sizes(proto.graph.output, signature.outputs)
    return proto, export_graph.layers


def _refuse_captured(graph):
    if graph.captured:
        raise OperatorError(
            "ONNX has no lookup tables, and no variables that a call assigns; move layers such as "
            "StringLookup, IntegerLookup and TextVectorization out of the model, remove random "
            "numbers and counters from inference, or export a SavedModel. Found:",
            [node_name(tensor) for tensor in graph.captured],
        )


def _set_names_and_sizes(values, infos):
    """Sets the model's names and sizes; free sizes are `batch` and `<name>_<axis>`."""
    by_name = {value.name: value for value in values}
    ordered = [by_name[info.name] for info in infos]
    for value, info in zip(ordered, infos, strict=True):
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for axis, size in enumerate(info.shape):
            if size is not None:
                shape.dim.add(dim_value=size)
            else:
                shape.dim.add(dim_param="batch" if axis == 0 else f"{info.name}_{axis}")
    del values[:]
    values.extend(ordered)


def _refuse_foreign_operators(proto):
    import onnx

    foreign = sorted(
        {
            f"{node.domain or 'TensorFlow'}.{node.op_type}"
            for node in proto.graph.node
            if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type)
        }
    )
    if foreign:
        raise OperatorError(
            "An ONNX file may use only operators of ONNX's default domain; replace the layers "
            "that need others, or export a SavedModel. The others are:",
            foreign,
        )
