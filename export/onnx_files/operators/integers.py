"""Division and remainders; TensorFlow rounds quotients towards minus infinity."""

from .building import Builder


def handlers() -> dict:
    """Returns tf2onnx handlers for FloorDiv, FloorMod and TruncateMod."""
    return {
        "FloorDiv": (_floor_divide, []),
        "FloorMod": (_floor_modulo, []),
        "TruncateMod": (_truncated_modulo, []),
    }


def _floor_divide(graph, node, _name, _arguments):
    """Rounds the quotient down; ONNX's Div rounds quotients of integers towards zero."""
    x, y = node.input
    build, dtype = Builder(graph, node), graph.get_dtype(x)
    if not _is_integer(dtype):
        build.last("Floor", build.add("Div", x, y))
        return
    wide = _divisible(dtype)
    x, y = build.cast(x, wide), build.cast(y, wide)
    quotient, product = _truncated(build, x, y)
    remainder = build.add("Sub", x, product)
    # This remainder has the sign of the dividend, that of Mod the sign of the divisor.
    same = build.add("Equal", remainder, build.add("Mod", x, y))
    above = build.cast(build.add("Not", same), wide)
    if wide == dtype:
        build.last("Sub", quotient, above)
    else:
        build.last("Cast", build.add("Sub", quotient, above), to=dtype)


def _floor_modulo(graph, node, _name, _arguments):
    """Gives the remainder the sign of the divisor; ONNX's Mod does this only for integers."""
    x, y = node.input
    build, dtype = Builder(graph, node), graph.get_dtype(x)
    if _is_integer(dtype):
        build.last("Mod", x, y)
        return
    zero = build.constant(0, _numpy_dtype(dtype))
    remainder = build.add("Mod", x, y, fmod=1)
    signs = build.add("Less", remainder, zero), build.add("Less", y, zero)
    is_zero = build.add("Equal", remainder, zero)
    keep = build.add("Or", is_zero, build.add("Equal", *signs))
    build.last("Where", keep, remainder, build.add("Add", remainder, y))


def _truncated_modulo(graph, node, _name, _arguments):
    x, y = node.input
    build = Builder(graph, node)
    if _is_integer(graph.get_dtype(x)):
        _, product = _truncated(build, x, y)
        build.last("Sub", x, product)
    else:
        build.last("Mod", x, y, fmod=1)


def _truncated(build, x, y):
    """Returns the quotient of integers, rounded towards zero, and its product with `y`.

    `x` minus the product is the remainder. So is Mod with `fmod=1`, but ONNX Runtime before 1.32
    divides in float64 there, which rounds integers beyond 2**53.
    """
    quotient = build.add("Div", x, y)
    return quotient, build.add("Mul", quotient, y)


def _is_integer(dtype):
    return _numpy_dtype(dtype).kind in "iu"


def _divisible(dtype):
    """Returns the dtype in which ONNX Runtime can divide integers of `dtype`."""
    from onnx import TensorProto

    sizes = _numpy_dtype(dtype)
    return TensorProto.INT32 if sizes.itemsize < 4 or sizes == "int32" else TensorProto.INT64


def _numpy_dtype(dtype):
    import onnx

    return onnx.helper.tensor_dtype_to_np_dtype(dtype)
