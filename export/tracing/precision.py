"""The same graph in another precision."""

from keras_bin.export.folding.precision import HALF_DTYPES
from keras_bin.export.tracing.frozen_graph import FrozenGraph, attribute, tensor_name


def in_float32(graph: FrozenGraph) -> None:
    """Lets a graph compute in float32 wherever it computes in half precision."""
    _convert(graph, dict.fromkeys(HALF_DTYPES, "float32"))
    for node in graph.definition.node:
        if node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type:
            dtype = node.attr["SrcT"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype


def in_float64(graph: FrozenGraph) -> None:
    """Lets a graph compute in float64 wherever it computes in less, and TensorFlow can.

    Operators that TensorFlow has for float32 only keep it, between casts.
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
        for attributes in (function.attr, *(node.attr for node in function.node_def)):
            _convert_attributes(attributes, new, wanted)
    for node in list(graph.definition.node):
        kept = _kept(node, set(new), wanted.as_datatype_enum)
        if kept is None:
            _convert_attributes(node.attr, new, wanted)
        else:
            _keep(graph, node, *kept, wanted)


def _number(dtype):
    import tensorflow as tf

    return tf.as_dtype(dtype).as_datatype_enum


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


def _kept(node, old, wanted):
    """Returns the inputs and outputs of a node by number that stay as they are, or None.

    That is where a type is fixed, or may not be the one that is wanted.
    """
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        return None
    allowed = {each.name: list(each.allowed_values.list.type) for each in definition.attr}
    arguments = (*definition.input_arg, *definition.output_arg)
    fixed = any(argument.type in old for argument in arguments) or any(
        allowed[name] and wanted not in allowed[name]
        for argument in arguments
        if (name := argument.type_attr) and attribute(node, name).type in old
    )
    if not fixed:
        return None
    return tuple(
        [number for number, dtype in enumerate(_types(node, side)) if dtype in old]
        for side in (definition.input_arg, definition.output_arg)
    )


def _types(node, arguments):
    """Returns the types of a node's inputs or outputs, one by one."""
    types = []
    for argument in arguments:
        if argument.type_list_attr:
            types += attribute(node, argument.type_list_attr).list.type
            continue
        dtype = argument.type or attribute(node, argument.type_attr).type
        types += [dtype] * (attribute(node, argument.number_attr).i if argument.number_attr else 1)
    return types


def _keep(graph, node, inputs, outputs, wanted):
    """Puts casts around a node."""
    import tensorflow as tf

    single = tf.float32.as_datatype_enum
    half = {_number(dtype): single for dtype in HALF_DTYPES}
    _convert_attributes(node.attr, half, tf.float32)
    for number in inputs:
        cast = _cast(graph, node, node.input[number], wanted, tf.float32)
        graph.read(node, number, cast)
    for number in outputs:
        name = tensor_name(f"{node.name}:{number}")
        graph.replace(name, _cast(graph, node, name, tf.float32, wanted))


def _cast(graph, node, tensor, source, target):
    cast = graph.add_node("Cast", f"{node.name}_cast", [tensor])
    cast.attr["SrcT"].type = source.as_datatype_enum
    cast.attr["DstT"].type = target.as_datatype_enum
    return tensor_name(cast.name)
