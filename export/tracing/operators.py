"""The inputs and outputs of TensorFlow's operators."""

import functools
from collections.abc import Iterator
from typing import NamedTuple

from ..tensorflow_internals import kernels_of, operator_definition
from .frozen_graph import attribute


class Argument(NamedTuple):
    """One input or output of a node.

    Attributes:
        name: the operator's name for it.
        number: its index among the tensors of that name.
        dtype: the number of its dtype.
    """

    name: str
    number: int
    dtype: int


def definition(node):
    """Returns the OpDef of a node, or None if it calls a function."""
    return operator_definition(node.op)


def arguments(node, declared) -> Iterator[Argument]:
    """Yields the inputs or outputs of a node by number.

    Args:
        node: the node.
        declared: `input_arg` or `output_arg` of its definition.
    """
    for argument in declared:
        if argument.type_list_attr:
            dtypes = attribute(node, argument.type_list_attr).list.type
        else:
            dtype = argument.type or attribute(node, argument.type_attr).type
            number = argument.number_attr
            dtypes = [dtype] * (attribute(node, number).i if number else 1)
        for index, dtype in enumerate(dtypes):
            yield Argument(argument.name, index, dtype)


@functools.cache
def has_kernel(operator: str, attribute_name: str, dtype: int) -> bool:
    """Tells whether TensorFlow can run an operator with some dtype on a CPU.

    Args:
        operator: its name.
        attribute_name: the attribute that holds the dtype.
        dtype: the number of the dtype.
    """
    allowed = [
        {each.name: each.allowed_values.list.type for each in kernel.constraint}
        for kernel in kernels_of(operator)
        if kernel.device_type == "CPU"
    ]
    return not allowed or any(dtype in types.get(attribute_name, [dtype]) for types in allowed)
