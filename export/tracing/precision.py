"""Converting a graph to float32 or float64."""

from keras_bin.networks.half_precision import HALF_DTYPES

from .frozen_graph import FrozenGraph, attribute
from .function_body import FunctionBody
from .operators import arguments, definition, has_kernel


def in_float32(graph: FrozenGraph) -> None:
    """Makes a graph compute in float32 wherever it computes in half precision.

    Variables and tables outside the graph keep their dtype, and are read between casts.
    """
    _convert(graph, dict.fromkeys(HALF_DTYPES, "float32"))
    for node in graph.definition.node:
        if node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type:
            dtype = node.attr["SrcT"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype


def in_float64(graph: FrozenGraph) -> None:
    """Makes a graph compute in float64 wherever it computes in less and TensorFlow can.

    Operators that TensorFlow has only for float32 keep float32, between casts. Those that read or
    write variables and tables outside the graph keep the dtypes of these, between casts, too.
    """
    _convert(graph, dict.fromkeys((*HALF_DTYPES, "float32"), "float64"))


def _convert(graph, dtypes):
    import tensorflow as tf

    new = {_number(old): _number(wanted) for old, wanted in dtypes.items()}
    wanted = tf.as_dtype(next(iter(new.values())))
    for function in graph.definition.library.function:
        signature = function.signature
        for argument in (*signature.input_arg, *signature.output_arg):
            argument.type = new.get(argument.type, argument.type)
        _convert_attributes(function.attr, new, wanted)
        _convert_nodes(FunctionBody(function), new, wanted)
    _convert_nodes(graph, new, wanted)


def _number(dtype):
    import tensorflow as tf

    return tf.as_dtype(dtype).as_datatype_enum


def _convert_nodes(body, new, wanted):
    for node in list(body.nodes.values()):
        found = definition(node)
        if found is None:
            _convert_attributes(node.attr, new, wanted)
        elif _reads_resource(found):
            _keep(body, node, found, new, wanted)
        elif _is_limited(node, found, new, wanted):
            _keep(body, node, found, new, wanted, in_single=True)
        else:
            _convert_attributes(node.attr, new, wanted)


def _convert_attributes(attributes, new, wanted):
    import tensorflow as tf

    for value in attributes.values():
        kind = value.WhichOneof("value")
        if kind == "type":
            value.type = new.get(value.type, value.type)
        elif kind == "list" and value.list.type:
            value.list.type[:] = [new.get(dtype, dtype) for dtype in value.list.type]
        elif kind == "tensor" and value.tensor.dtype in new:
            array = tf.make_ndarray(value.tensor).astype(wanted.as_numpy_dtype)
            value.tensor.CopyFrom(tf.make_tensor_proto(array))


def _reads_resource(definition):
    resource = _number("resource")
    return any(argument.type == resource for argument in definition.input_arg)


def _is_limited(node, definition, old, wanted):
    """Tells whether a node has a fixed dtype, or cannot run with the wanted dtype."""
    declared = (*definition.input_arg, *definition.output_arg)
    return any(argument.type in old for argument in declared) or any(
        not has_kernel(node.op, name, wanted.as_datatype_enum)
        for argument in declared
        if (name := argument.type_attr) and attribute(node, name).type in old
    )


def _keep(body, node, definition, old, wanted, in_single=False):
    """Puts casts around a node, which keeps its dtypes, or float32 instead of half precision."""
    import tensorflow as tf

    sides = (definition.input_arg, definition.output_arg)
    inputs, outputs = (
        [number for number, argument in enumerate(arguments(node, side)) if argument.dtype in old]
        for side in sides
    )
    if in_single:
        half = dict.fromkeys(map(_number, HALF_DTYPES), _number("float32"))
        _convert_attributes(node.attr, half, tf.float32)
    given, made = (list(arguments(node, side)) for side in sides)
    for number in inputs:
        dtype = given[number].dtype
        cast = _cast(body, node, node.input[number], wanted.as_datatype_enum, dtype)
        body.read(node, number, cast)
    for number in outputs:
        tensor = body.output(node, number)
        dtype = made[number].dtype
        body.replace(tensor, _cast(body, node, tensor, dtype, wanted.as_datatype_enum))


def _cast(body, node, tensor, source, target):
    cast = body.add_node("Cast", f"{node.name}_cast", [tensor])
    cast.attr["SrcT"].type = source
    cast.attr["DstT"].type = target
    return body.output(cast, 0)
