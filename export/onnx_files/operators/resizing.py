"""Resizing images, where indices and sizes depend on the last bit of a factor."""

import functools

import numpy as np

from .building import Builder

_CUBIC = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}


def handlers() -> dict:
    """Returns tf2onnx handlers for the operators that resize images."""
    return {
        "ResizeNearestNeighbor": (_nearest, []),
        "ResizeBilinear": (functools.partial(_smooth, {"mode": "linear"}), []),
        "ResizeBicubic": (functools.partial(_smooth, _CUBIC), []),
    }


def _nearest(graph, node, _name, _arguments):
    """Gathers rows and columns at the indices that TensorFlow computes in float32.

    ONNX's Resize computes them from the inverse quotient of the sizes, which rounds differently.
    Resize is used only if it repeats each row and column a whole number of times.
    """
    images, sizes = node.input
    nearest = _NearestRows(
        bool(node.get_attr_value("align_corners")), bool(node.get_attr_value("half_pixel_centers"))
    )
    shape = graph.get_shape(images) or [-1] * 4
    known = node.inputs[1].get_tensor_value() if node.inputs[1].is_const() else (None, None)
    static = [
        nearest.constant(before, after) if before > 0 and after is not None else None
        for before, after in zip(shape[1:3], known, strict=True)
    ]
    factors = [_factor(indices, before) for indices, before in zip(static, shape[1:3], strict=True)]
    build = Builder(graph, node)
    if factors == [1, 1]:
        build.last("Identity", images)
        return
    x = build.add("Transpose", images, perm=[0, 3, 1, 2])
    if None not in factors:
        x = _repeated(build, x, [1, 1, *factors])
    else:
        for axis, indices in enumerate(static):
            if indices is None:
                index = build.constant(axis, "int64")
                after = build.add("Gather", sizes, index)
                indices = nearest.computed(build, x, axis + 2, after)
            else:
                indices = build.constant(indices, "int64")
            x = build.add("Gather", x, indices, axis=axis + 2)
    build.last("Transpose", x, perm=[0, 2, 3, 1])


def _smooth(attributes, graph, node, _name, _arguments):
    """Resizes by factors that give exactly the wanted sizes, or to sizes known only at run time.

    ONNX rounds the product of size and factor down, and tf2onnx's factor may be one bit too small.
    """
    from onnx import TensorProto

    images, sizes = node.input
    mode = "half_pixel" if node.get_attr_value("half_pixel_centers") else "asymmetric"
    if node.get_attr_value("align_corners"):
        mode = "align_corners"
    before = (graph.get_shape(images) or [-1] * 4)[1:3]
    after = node.inputs[1].get_tensor_value() if node.inputs[1].is_const() else None
    build = Builder(graph, node)
    x = build.add("Transpose", build.cast(images, TensorProto.FLOAT), perm=[0, 3, 1, 2])
    nothing = build.constant([], "float32")
    if after is not None and -1 not in before:
        factors = map(_exact_factor, before, after)
        wanted = [nothing, build.constant([1, 1, *factors], "float32")]
    else:
        first, third = build.constant([0], "int64"), build.constant([2], "int64")
        batch = build.add("Slice", build.add("Shape", x), first, third)
        whole = build.add("Concat", batch, build.cast(sizes, TensorProto.INT64), axis=0)
        wanted = [nothing, nothing, whole]
    y = build.add("Resize", x, *wanted, coordinate_transformation_mode=mode, **attributes)
    build.last("Transpose", y, perm=[0, 2, 3, 1])


def _exact_factor(before, after):
    """Returns the smallest float32 whose product with `before`, rounded down, is `after`."""
    factor = np.float32(after) / np.float32(before)
    while int(before) * float(factor) < after:  # runtimes multiply in float32 or more
        factor = np.nextafter(factor, np.float32(np.inf))
    return factor


class _NearestRows:
    """The index of the nearest input row for each output row, as TensorFlow's kernel computes it.

    Args:
        align_corners: whether the centers of the first and last rows stay where they are.
        half_pixel_centers: whether the position of a row is that of its center.
    """

    def __init__(self, align_corners, half_pixel_centers):
        self._align_corners = align_corners
        self._shift = 0.5 if half_pixel_centers else 0.0

    def constant(self, before, after):
        """Returns the indices for known sizes."""
        steps = self._align_corners and after > 1
        scale = np.float32(before - steps) / np.float32(after - steps)
        x = (np.arange(after, dtype="float32") + np.float32(self._shift)) * scale
        whole = np.floor(x)
        if self._align_corners:
            whole += x - whole >= 0.5
        return np.minimum(whole, before - 1).astype("int64")

    def computed(self, build, x, axis, after):
        """Adds nodes for the indices along an axis of `x`."""
        from onnx import TensorProto

        zero, one = build.constant(0, "int64"), build.constant(1, "int64")
        index = build.constant(axis, "int64")
        after = build.cast(after, TensorProto.INT64)
        before = build.add("Gather", build.add("Shape", x), index)
        last = build.add("Sub", before, one)
        if self._align_corners:
            several = build.cast(build.add("Greater", after, one), TensorProto.INT64)
            sizes = build.add("Sub", before, several), build.add("Sub", after, several)
        else:
            sizes = before, after
        scale = build.add("Div", *[build.cast(size, TensorProto.FLOAT) for size in sizes])
        rows = build.cast(build.add("Range", zero, after, one), TensorProto.FLOAT)
        if self._shift:
            rows = build.add("Add", rows, build.constant(self._shift, "float32"))
        positions = build.add("Mul", rows, scale)
        whole = build.add("Floor", positions)
        if self._align_corners:
            # Adding a half before the floor would round the largest number below a half up.
            part = build.add("Sub", positions, whole)
            near = build.add("Less", part, build.constant(0.5, "float32"))
            up = build.cast(build.add("Not", near), TensorProto.FLOAT)
            whole = build.add("Add", whole, up)
        return build.add("Min", build.cast(whole, TensorProto.INT64), last)


def _factor(indices, before):
    """Returns how often each of `before` rows is repeated, or None if that differs."""
    if indices is None or len(indices) % before:
        return None
    factor = len(indices) // before
    return factor if (indices == np.arange(len(indices)) // factor).all() else None


def _repeated(build, x, factors):
    """Repeats each entry along each axis, by whole factors."""
    none = build.constant([], "float32")
    scales = build.constant(factors, "float32")
    return build.add(
        "Resize",
        x,
        none,
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
