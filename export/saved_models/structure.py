"""Checking from the files of a SavedModel that TensorFlow Serving can serve it."""

from pathlib import Path

from ..results.errors import OperatorError, ShapeError, VerificationError
from ..tensorflow_internals import COMPILED, operator_definition
from .meta_graph import read_graph, signatures, specs

SIGNATURES = ("serving_default", "serve")
_BUG = "an export always writes that, so please report this as a bug of keras-bin"
_PYTHON_OPERATORS = frozenset(("EagerPyFunc", "PyFunc", "PyFuncStateless"))


def check_structure(path: Path) -> list[str]:
    """Checks in `saved_model.pb` that any TensorFlow Serving can serve a SavedModel.

    Args:
        path: the SavedModel's folder.

    Returns:
        One line per check that passed.

    Raises:
        OperatorError: an operator, in the graph or in a function, is not TensorFlow's own, calls
            Python, or must be compiled by XLA.
        ShapeError: an input or output has no free batch axis.
        ValueError: `saved_model.pb` is damaged.
        VerificationError: a signature is missing, or the two differ.
    """
    graph = _serving_graph(path)
    return [check(graph) for check in (_signatures, _batch_axes, _operators, _compilation)]


def _serving_graph(path):
    graph = read_graph(path)
    tags = list(graph.meta_info_def.tags)
    if "serve" not in tags:
        raise VerificationError(
            f"TensorFlow Serving loads the graph with the tag 'serve'; {_BUG}. The tags are:",
            [str(tags)],
        )
    return graph


def _signatures(graph):
    found = {
        name: {side: specs(getattr(signature, side)) for side in ("inputs", "outputs")}
        for name, signature in signatures(graph).items()
    }
    first, second = SIGNATURES
    if first not in found or found.get(second) != found[first]:
        raise VerificationError(
            f"The signatures {first!r} and {second!r} must both be there and have the same inputs "
            f"and outputs; {_BUG}. The signatures are:",
            [f"{name!r}: {signature}" for name, signature in found.items()],
        )
    return f"signatures {first} and {second} are equal"


def _batch_axes(graph):
    wrong = [
        f"{name} {side} {key!r}: shape {shape}"
        for name in SIGNATURES
        for side in ("inputs", "outputs")
        for key, (_, shape) in specs(getattr(graph.signature_def[name], side)).items()
        if not shape or shape[0] is not None
    ]
    if wrong:
        raise ShapeError(
            "The first axis of every input and output must be the batch axis, of a free size; "
            "remove fixed batch sizes and sums over the batch from the model. These have none:",
            wrong,
        )
    return "every input and output has a free batch axis"


def _operators(graph):
    functions = {function.signature.name for function in graph.graph_def.library.function}
    used = sorted({(node.op, place) for place, node in _nodes(graph)})
    wrong = [
        f"{operator} in {place}"
        for operator, place in used
        if operator in _PYTHON_OPERATORS
        or ">" in operator  # the mark of operators that a package registered
        or (operator not in functions and operator_definition(operator) is None)
    ]
    if wrong:
        raise OperatorError(
            "A SavedModel may use only TensorFlow's own operators, and no Python function; replace "
            "the layers that use others:",
            wrong,
        )
    return "all operators are TensorFlow's own"


def _compilation(graph):
    library = graph.graph_def.library.function
    compiled = [f"function {function.signature.name}" for function in library if _must(function)]
    compiled += [f"{node.name} ({node.op}) in {at}" for at, node in _nodes(graph) if _must(node)]
    if compiled:
        raise OperatorError(
            "Nothing may need XLA, which TensorFlow Serving may lack; remove jit_compile=True from "
            "the functions in the model's layers. These need it:",
            sorted(compiled),
        )
    return "nothing has to be compiled by XLA"


def _must(definition):
    return COMPILED in definition.attr and definition.attr[COMPILED].b


def _nodes(graph):
    """Yields the place and definition of every node, in the graph and in its functions."""
    for node in graph.graph_def.node:
        yield "the graph", node
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            yield f"function {function.signature.name}", node
