"""All private names of TensorFlow that the exporter uses.

Checked on TensorFlow 2.18.1 and 2.21.0. Each function says which public name would replace it, or
that there is none yet. Review this file for each new release of TensorFlow, and run the tests.
"""

# Attributes of nodes and functions; they have no public names.
COMPILED = "_XlaMustCompile"  # whether XLA must compile it
ANNOTATIONS = ("_gradient_op_type", "_class")  # a custom gradient, and colocation


def operator_definition(operator: str):
    """Returns the OpDef of an operator, or None if there is no operator of that name.

    Public: none; `tf.raw_ops` has a function for each operator.
    """
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(operator)


def kernels_of(operator: str) -> list:
    """Returns the KernelDef of each kernel that an operator has. Public: none."""
    from tensorflow.python.framework import kernels

    return kernels.get_registered_kernels_for_op(operator).kernel


def variables_as_constants(concrete, kept: list[str]) -> tuple:
    """Turns the variables that a function reads into constants.

    Public: none; `tf.compat.v1.graph_util.convert_variables_to_constants` needs a session.

    Args:
        concrete: a ConcreteFunction.
        kept: names of the placeholders of variables that stay variables.

    Returns:
        `(definition, converted)`: the GraphDef, and the indices of the captures that became
        constants.
    """
    from tensorflow.python.framework import convert_to_constants

    data = convert_to_constants._FunctionConverterDataInEager(
        func=concrete,
        lower_control_flow=False,
        aggressive_inlining=True,
        variable_names_denylist=kept,
    )
    return convert_to_constants._replace_variables_by_constants(data)


def read_only_inputs(graph) -> set[str]:
    """Returns the names of resources among a graph's inputs that it only reads. Public: none."""
    from tensorflow.python.framework import auto_control_deps_utils

    indices = auto_control_deps_utils.get_read_only_resource_input_indices_graph(graph)
    return {graph.inputs[index].name for index in indices}


def parse_saved_model(content: bytes):
    """Parses the bytes of a `saved_model.pb`. Public: none.

    Raises:
        google.protobuf.message.DecodeError: `content` is something else.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString(content)


def parse_tensor(content: bytes):
    """Parses the bytes of a TensorProto. Public: `tf.io.parse_tensor`, for a known dtype."""
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    return TensorProto.FromString(content)


def known_dtypes() -> set[int]:
    """Returns the numbers of all tensor dtypes. Public: `tf.dtypes`, one by one."""
    from tensorflow.core.framework.types_pb2 import DataType

    return set(DataType.values()) - {0}
