"""Repeated rows and columns, as UpSampling layers make them."""

import numpy as np

from .building import Builder


def handlers() -> dict:
    """Returns a tf2onnx handler for Tile."""
    return {"Tile": (_tile, [])}


def _tile(graph, node, _name, _arguments):
    """Uses a Resize, which also repeats rows, for an axis that is added, tiled and merged.

    tf2onnx's transpose optimizer cannot handle such an axis.
    """
    found = _repeat(graph, node)
    if found is None:
        from onnx import TensorProto

        build = Builder(graph, node)
        build.last("Tile", node.input[0], build.cast(node.input[1], TensorProto.INT64))
        return
    x, axis, factor, reshape = found
    rank = graph.get_rank(x)
    build = Builder(graph, node)
    scales = [1.0] * rank
    scales[axis + 1] = factor
    y = build.add("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
    y = build.add(
        "Resize",
        y,
        build.constant([], "float32"),
        build.constant(scales, "float32"),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    y = build.add("Transpose", y, perm=[0, *range(2, rank), 1])
    # tf2onnx gets to the Reshape later, and fails if it is gone.
    reshape.type, reshape.skip_conversion = "Identity", True
    graph.replace_inputs(reshape, [y])


def _repeat(graph, tile):
    """Returns the repeated tensor, the axis, the factor, and the Reshape that merges; or None."""
    added, multiples = tile.inputs
    readers = graph.find_output_consumers(tile.output[0])
    if not multiples.is_const() or [reader.type for reader in readers] != ["Reshape"]:
        return None
    factors = multiples.get_tensor_value()
    (tiled,) = np.nonzero(np.array(factors) != 1)
    if added.type != "Unsqueeze" or len(tiled) != 1 or graph.get_dtype(tile.output[0]) != 1:
        return None
    axis, x = int(tiled[0]) - 1, added.input[0]
    shape, merged = graph.get_shape(x), graph.get_shape(readers[0].output[0])
    # Only a spatial axis of a series, image or volume of known sizes, channels last.
    if shape is None or len(shape) not in (3, 4, 5) or not 1 <= axis < len(shape) - 1:
        return None
    wider = [*shape[: axis + 1], 1, *shape[axis + 1 :]]
    repeated = [*shape[:axis], shape[axis] * factors[axis + 1], *shape[axis + 1 :]]
    if -1 in shape[1:] or graph.get_shape(added.output[0]) != wider or merged != repeated:
        return None
    return x, axis, factors[axis + 1], readers[0]
