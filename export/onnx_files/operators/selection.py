"""Choosing between values: `where`, one-hot vectors, and casts to bool."""

import numpy as np

from .building import Builder


def handlers() -> dict:
    """Returns tf2onnx handlers for Select, SelectV2, OneHot and Cast."""
    return {
        "Select": (_select, []),
        "SelectV2": (_select, []),
        "OneHot": (_one_hot, []),
        "Cast": (_cast, []),
    }


def _cast(graph, node, _name, _arguments):
    """Replaces a cast to bool with a comparison with 0.

    tf2onnx drops the first of two casts in a row if the second is to bool: 0.5, cast to an integer
    and then to bool, would become true.
    """
    from onnx import TensorProto, helper

    (x,) = node.input
    dtype = graph.get_dtype(x)
    if node.get_attr_value("to") != TensorProto.BOOL or dtype == TensorProto.BOOL:
        return
    build = Builder(graph, node)
    zero = build.constant(0, helper.tensor_dtype_to_np_dtype(dtype))
    build.last("Not", build.add("Equal", x, zero))


def _select(graph, node, _name, _arguments):
    """Uses Where; tf2onnx multiplies by 0 and 1 and adds, but 0 times infinity is NaN."""
    condition, x, y = node.input
    kind, rank = node.type, graph.get_rank(x)
    build, dtype = Builder(graph, node), graph.get_dtype(x)
    if kind == "Select" and graph.get_rank(condition) == 1 and rank != 1:
        # Select chooses rows by a vector; Where would broadcast it along the last axis.
        shape = build.constant([-1, *[1] * (rank - 1)], "int64")
        condition = build.add("Reshape", condition, shape)
    wide = _selectable(dtype)
    x, y = build.cast(x, wide), build.cast(y, wide)
    if wide == dtype:
        build.last("Where", condition, x, y)
    else:
        build.last("Cast", build.add("Where", condition, x, y), to=dtype)


def _selectable(dtype):
    """Returns a dtype that ONNX Runtime's Where takes, and that holds all values of `dtype`."""
    from onnx import TensorProto

    return {
        TensorProto.BOOL: TensorProto.UINT8,
        TensorProto.FLOAT16: TensorProto.FLOAT,
        TensorProto.BFLOAT16: TensorProto.FLOAT,
        TensorProto.INT8: TensorProto.INT32,
        TensorProto.INT16: TensorProto.INT32,
        TensorProto.UINT16: TensorProto.INT32,
        TensorProto.UINT32: TensorProto.INT64,
    }.get(dtype, dtype)


def _one_hot(graph, node, _name, _arguments):
    """Compares the indices with 0, 1, 2, ..., so indices out of range match nothing.

    ONNX's OneHot counts negative indices from the end.
    """
    from onnx import TensorProto

    indices, depth, on, off = node.input
    axis, rank = node.get_attr_value("axis", -1), graph.get_rank(indices)
    constant_depth = node.inputs[1].is_const()
    depth_value = node.inputs[1].get_tensor_value() if constant_depth else None
    is_boolean = graph.get_dtype(on) == TensorProto.BOOL
    plain = all(each.is_const() for each in node.inputs[2:4]) and (
        node.inputs[2].get_tensor_value(),
        node.inputs[3].get_tensor_value(),
    ) == (1, 0)
    dtype = graph.get_dtype(on)
    build = Builder(graph, node)
    axis = rank if axis == -1 else axis
    if constant_depth:
        positions = build.constant(np.arange(depth_value), "int64")
    else:
        zero, one = build.constant(0, "int64"), build.constant(1, "int64")
        positions = build.add("Range", zero, build.cast(depth, TensorProto.INT64), one)
    if axis < rank:
        shape = build.constant([-1, *[1] * (rank - axis)], "int64")
        positions = build.add("Reshape", positions, shape)
    indices = build.cast(indices, TensorProto.INT64)
    column = build.add("Unsqueeze", indices, build.constant([axis], "int64"))
    if is_boolean and plain:
        build.last("Equal", column, positions)
        return
    hit = build.add("Equal", column, positions)
    if plain:
        build.last("Cast", hit, to=dtype)
        return
    wide = _selectable(dtype)
    on, off = build.cast(on, wide), build.cast(off, wide)
    if wide == dtype:
        build.last("Where", hit, on, off)
    else:
        build.last("Cast", build.add("Where", hit, on, off), to=dtype)
