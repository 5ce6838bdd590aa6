"""What TensorFlow's operators take and give."""

from collections.abc import Iterator
from typing import NamedTuple

from keras_bin.export.tracing.frozen_graph import attribute


class Place(NamedTuple):
    """One input or output of a node.

    Attributes:
        argument: the name that the operator has for it.
        index: which of the tensors of that name it is.
        dtype: the number of its dtype.
    """

    argument: str
    index: int
    dtype: int


def definition(node):
    """Returns the OpDef of a node, or None if it calls a function."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(node.op)


def places(node, arguments) -> Iterator[Place]:
    """Yields the inputs or outputs of a node by number.

    Args:
        node: the node.
        arguments: `input_arg` or `output_arg` of its definition.
    """
    for argument in arguments:
        if argument.type_list_attr:
            dtypes = attribute(node, argument.type_list_attr).list.type
        else:
            dtype = argument.type or attribute(node, argument.type_attr).type
            number = argument.number_attr
            dtypes = [dtype] * (attribute(node, number).i if number else 1)
        for index, dtype in enumerate(dtypes):
            yield Place(argument.name, index, dtype)
