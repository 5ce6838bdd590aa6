"""Elementwise operators."""

from .building import Builder

_BINARY = {
    "Add": "Add",
    "AddV2": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "Div": "Div",
    "RealDiv": "Div",
    "TruncateDiv": "Div",
}


def handlers() -> dict:
    """Returns tf2onnx handlers for operators of two arguments, and for Erfc, Expm1 and Log1p."""
    return {
        **{name: (_binary, []) for name in _BINARY},
        "Erfc": (_erfc, []),
        "Expm1": (_expm1, []),
        "Log1p": (_log1p, []),
    }


def _binary(graph, node, _name, _arguments):
    """Orders the arguments so that tf2onnx 1.17's transpose optimizer handles constants correctly.

    It takes the second argument of an Add for the bias of a convolution if it has as many values
    as there are filters, on any axis, and gives up on the whole graph if it is a scalar.
    """
    node.type = _BINARY[node.type]
    constants = [each.is_const() for each in node.inputs]
    if node.type not in ("Add", "Mul") or constants[0] == constants[1]:
        return
    index = constants.index(True)
    shape = graph.get_shape(node.input[index])
    last = node.type == "Mul" or (shape and shape[-1] > 1)
    if last != (index == 1):
        graph.replace_inputs(node, node.input[::-1])


def _erfc(graph, node, _name, _arguments):
    """Converts Erfc, which TensorFlow's GELU uses and tf2onnx 1.17 does not know."""
    (x,) = node.input
    build, one = _with_one(graph, node)
    build.last("Sub", one, build.add("Erf", x))


def _expm1(graph, node, _name, _arguments):
    """Converts Expm1, which CELU uses, with an error of half a unit in the last place of 1."""
    (x,) = node.input
    build, one = _with_one(graph, node)
    build.last("Sub", build.add("Exp", x), one)


def _log1p(graph, node, _name, _arguments):
    """Converts Log1p, with an error of half a unit in the last place of 1."""
    (x,) = node.input
    build, one = _with_one(graph, node)
    build.last("Log", build.add("Add", one, x))


def _with_one(graph, node):
    import onnx

    dtype = onnx.helper.tensor_dtype_to_np_dtype(graph.get_dtype(node.input[0]))
    build = Builder(graph, node)
    return build, build.constant(1, dtype)
