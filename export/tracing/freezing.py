"""Tracing functions to graphs whose weights are constants."""

import itertools
import re

from ..tensorflow_internals import ANNOTATIONS, COMPILED, read_only_inputs, variables_as_constants
from .frozen_graph import FrozenGraph

_numbers = itertools.count()


def frozen(function, wanted: list[str], keep_variables: bool = False) -> FrozenGraph:
    """Traces a function, and turns the variables that it reads into constants.

    Variables that it assigns stay variables, and lookup tables stay lookup tables; both are in the
    graph's `captured`. Functions that are to be compiled by XLA become plain operators.

    Args:
        function: a `tf.function` with an input signature, which returns a dict.
        wanted: names of the outputs, as in the dict.
        keep_variables: whether all variables stay variables.

    Raises:
        ValueError: the function cannot be traced.
    """
    graph = _frozen(_concrete(function), wanted, keep_variables)
    if _drop_compilation(graph.definition):
        variables = graph.variables
        inlining = graph.function(function.input_signature).get_concrete_function()
        graph = _frozen(inlining, wanted, keep_variables)
        graph.variables = variables
    graph.prune()
    return graph


def _concrete(function):
    import tensorflow as tf

    try:
        return function.get_concrete_function()
    except tf.errors.OperatorNotAllowedInGraphError as error:
        raise ValueError(
            "A model must run in a tf.function to be exported; give its keras.Input fixed sizes, "
            "or remove Python's `if`, `while` and `for` over tensors from the layer. "
            f"Received: {_first_line(error)}"
        ) from error


def _first_line(error):
    return re.sub(r"\x1b\[\d*m", "", str(error)).strip().replace("\n\n", " ").splitlines()[0]


def _frozen(concrete, wanted, keep_variables):
    kept = list(concrete.graph.captures) if keep_variables else _assigned(concrete)
    names = [placeholder.op.name for _, placeholder in kept]
    definition, converted = variables_as_constants(concrete, names)
    _rename_functions(definition)
    _drop_annotations(definition)
    captures = list(concrete.graph.captures)
    captured = {
        placeholder.name: outside
        for index, (outside, placeholder) in enumerate(captures)
        if index not in converted
    }
    inputs = [tensor.name for tensor in concrete.inputs[: len(concrete.inputs) - len(captures)]]
    outputs = [tensor.name for tensor in concrete.outputs]  # in the order of sorted names
    variables = {placeholder.name: outside for outside, placeholder in captures}
    named = dict(zip(sorted(wanted), outputs, strict=True))
    return FrozenGraph(definition, inputs, named, captured, variables=variables)


def _assigned(concrete):
    """Returns the captures that are not only read."""
    names = read_only_inputs(concrete.graph)
    return [
        (outside, placeholder)
        for outside, placeholder in concrete.graph.captures
        if placeholder.dtype == "resource" and placeholder.name not in names
    ]


def _drop_compilation(definition) -> bool:
    """Turns off compilation by XLA, which a server may lack; returns whether any was on."""
    places = [definition.node, *(function.node_def for function in definition.library.function)]
    attributes = [function.attr for function in definition.library.function]
    attributes += [node.attr for nodes in places for node in nodes]
    compiled = [each.pop(COMPILED) for each in attributes if COMPILED in each]
    return any(value.b for value in compiled)


def _drop_annotations(definition):
    """Removes custom gradients, which nobody needs, and the placement of nodes."""
    places = [definition.node, *(function.node_def for function in definition.library.function)]
    for node in itertools.chain(*places):
        for name in ANNOTATIONS:
            node.attr.pop(name, None)
    del definition.library.gradient[:]


def _rename_functions(definition):
    """Gives functions new names, as TensorFlow keeps old functions under names that it knows."""
    functions = definition.library.function
    new = {f.signature.name: f"keras_bin_{next(_numbers)}_{f.signature.name}" for f in functions}
    for function in functions:
        function.signature.name = new[function.signature.name]
    places = [definition.node, *(function.node_def for function in functions)]
    for node in itertools.chain(*places):
        for attribute in node.attr.values():
            for called in (attribute.func, *attribute.list.func):
                if called.name in new:
                    called.name = new[called.name]
