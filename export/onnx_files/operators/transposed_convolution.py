"""Transposed convolutions, whose results tf2onnx 1.17 crops and pads in the wrong places."""

from typing import NamedTuple

import numpy as np

from .building import Builder


def handlers() -> dict:
    """Returns tf2onnx handlers for transposed convolutions in two and three dimensions."""
    return {
        "Conv2DBackpropInput": (_convert, []),
        "Conv3DBackpropInputV2": (_convert, []),
    }


def _convert(graph, node, _name, _arguments):
    """Crops at both ends and pads at the far end inside ConvTranspose, which adds the bias last.

    If an output size is not the stride times the input size plus a constant, operators after it
    cut the result to size, and the bias is added after them.
    """
    sizes, kernel, x, *bias = node.input
    rank = graph.get_rank(kernel)
    axes = range(2, rank) if node.data_format.startswith("NC") else range(1, rank - 1)
    strides, dilations = ([*node.get_attr(name).ints] for name in ("strides", "dilations"))
    shape = graph.get_shape(kernel)
    same = node.get_attr_value("padding").decode() == "SAME"
    lines = _lines(node.inputs[0]) or []
    lines = lines if len(lines) == rank else [None] * rank
    known = graph.get_shape(x) or [-1] * rank
    spans = [
        _span(lines[axis], known[axis], strides[axis], (size - 1) * dilations[axis] + 1, same)
        for axis, size in zip(axes, shape, strict=False)
    ]
    attributes = {
        "kernel_shape": shape[:-2],
        "strides": [strides[axis] for axis in axes],
        "dilations": [dilations[axis] for axis in axes],
    }
    weights = node.inputs[1].get_tensor_value(as_list=False) if node.inputs[1].is_const() else None
    build = Builder(graph, node)
    first = [0, rank - 1, *range(1, rank - 1)]
    channels_last = axes[0] == 1
    if channels_last:
        x = build.add("Transpose", x, perm=first)
    to_first = [rank - 1, rank - 2, *range(rank - 2)]
    if weights is None:
        kernel = build.add("Transpose", kernel, perm=to_first)
    else:
        kernel = build.constant(np.transpose(weights, to_first), weights.dtype)
    if None in spans:
        y = build.add("ConvTranspose", x, kernel, **attributes)
        y = _cut(build, y, sizes, axes, same)
        for each in bias:
            column = build.constant([-1, *[1] * len(axes)], "int64")
            y = build.add("Add", y, build.add("Reshape", each, column))
        ends = ("Identity", y), {}
    else:
        attributes |= {
            "pads": [span.begin for span in spans] + [span.end for span in spans],
            "output_padding": [span.further for span in spans],
        }
        ends = ("ConvTranspose", x, kernel, *bias), attributes
    if channels_last:
        last = build.add(*ends[0], **ends[1])
        build.last("Transpose", last, perm=[0, *range(2, rank), 1])
    else:
        build.last(*ends[0], **ends[1])


class _Line(NamedTuple):
    """A size that is `slope` times an unknown size, plus `offset`."""

    slope: int
    offset: int


class _Span(NamedTuple):
    """How many entries are cut off at each end of an axis, and how many zeros are added."""

    begin: int
    end: int
    further: int


def _span(line, size, stride, kernel, same):
    """Returns the `_Span` of an axis, or None if it depends on free sizes."""
    if line is None:
        return None
    if line.slope == 0 and size > 0:
        line = _Line(stride, line.offset - stride * size)
    # TensorFlow raises an error for other offsets, and for another unknown size: the forward
    # convolution would not give the size of the input.
    lowest = 1 - stride if same else kernel - stride
    if line.slope != stride or not lowest <= line.offset < lowest + stride:
        return None
    excess = kernel - stride - line.offset
    begin = max(excess, 0) // 2
    return _Span(begin, max(excess, 0) - begin, max(-excess, 0))


def _lines(node):
    """Returns the `_Line` of each size in a vector, read from the nodes behind it, or None."""
    if node.is_const():
        return [_Line(0, int(size)) for size in node.get_tensor_value()]
    if node.type == "Cast":
        return _lines(node.inputs[0])
    if node.type == "Unsqueeze":
        return [_line(node.inputs[0])]
    if node.type == "Shape":
        return [_Line(1, 0)] * (node.graph.get_rank(node.input[0]) or 0)
    if node.type == "Slice" and all(each.is_const() for each in node.inputs[1:]):
        whole = _lines(node.inputs[0])
        (start,), (end,) = (each.get_tensor_value() for each in node.inputs[1:3])
        return whole and whole[start:end]
    if node.type != "Concat":
        return None
    parts = [_lines(each) for each in node.inputs]
    return None if None in parts else [line for part in parts for line in part]


_SAME_VALUE = ("Cast", "Identity", "Squeeze", "Unsqueeze", "Reshape")


def _line(node):
    """Returns the `_Line` of a size, read from the nodes that compute it, or None."""
    if node.is_const():
        value = node.get_tensor_value(as_list=False)
        return _Line(0, int(value.item())) if value.size == 1 else None
    if node.type in _SAME_VALUE:
        return _line(node.inputs[0])
    if node.type not in ("Add", "Sub", "Mul"):
        return _Line(1, 0)
    first, second = map(_line, node.inputs)
    if first is None or second is None or (first.slope and second.slope):
        return None
    if node.type == "Mul":
        factor, line = (first.offset, second) if first.slope == 0 else (second.offset, first)
        return _Line(line.slope * factor, line.offset * factor)
    sign = 1 if node.type == "Add" else -1
    return _Line(first.slope + sign * second.slope, first.offset + sign * second.offset)


def _cut(build, y, sizes, axes, same):
    """Cuts `y`, channels first, to its size: SAME crops both ends; zeros fill up the far end."""
    from onnx import TensorProto

    spatial = build.constant(list(range(2, 2 + len(axes))), "int64")
    zero, two = build.constant([0], "int64"), build.constant([2], "int64")
    wanted = build.add("Gather", sizes, build.constant(list(axes), "int64"))
    wanted = build.cast(wanted, TensorProto.INT64)
    found = build.add("Gather", build.add("Shape", y), spatial)
    excess = build.add("Sub", found, wanted)
    lack = build.add("Max", build.add("Neg", excess), zero)
    before = build.constant([0] * (len(axes) + 4), "int64")
    y = build.add("Pad", y, build.add("Concat", before, lack, axis=0))
    if not same:
        return build.add("Slice", y, build.constant([0] * len(axes), "int64"), wanted, spatial)
    begin = build.add("Div", build.add("Max", excess, zero), two)
    return build.add("Slice", y, begin, build.add("Add", begin, wanted), spatial)
