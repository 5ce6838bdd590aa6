"""Writing instance normalization, the part of a layer that needs statistics of a sample, in ONNX.

This part is first marked in the TensorFlow graph. When tf2onnx converts the graph, the mark becomes
either the operator InstanceNormalization or arithmetic around ReduceMean.
"""

from collections.abc import Callable, Container

import numpy as np

from keras_bin.runtimes import OPENVINO

from ..tracing.forms import LayerCall
from .instance_normalization import instance_normalization
from .normalization_builder import NormalizationBuilder
from .reduce_mean import reduce_mean

LOWERINGS = ("instance_normalization", "reduce_mean")
DEFAULT_LOWERING = "instance_normalization"


def check_lowering(lowering: str) -> None:
    """Checks that `lowering` is one of `LOWERINGS`.

    Raises:
        ValueError: it is not.
    """
    if lowering not in LOWERINGS:
        raise ValueError(
            f"`lowering` must be one of {list(LOWERINGS)}. Received: lowering={lowering!r}"
        )


def converter(
    calls: list[LayerCall], partly_absorbed: Container[str], lowering: str, runtime: str
) -> Callable:
    """Returns a tf2onnx handler that replaces each mark; see `keras_bin.export.tracing.marks`.

    Args:
        calls: the calls of normalization layers in the traced model.
        partly_absorbed: marks of the calls that an earlier operator computes in part; see
            `Constants.split`.
        lowering: one of `keras_bin.export.onnx_files.lowering.LOWERINGS`.
        runtime: one of `keras_bin.runtimes.RUNTIMES`.
    """
    marked = {
        call.mark: (
            call.axes,
            _without_zeros(
                call.constants.split()[2] if call.mark in partly_absorbed else call.constants,
                shifts=lowering != DEFAULT_LOWERING or runtime != OPENVINO,
            ),
            call.layer.epsilon,
        )
        for call in calls
        if not call.constants.affine
    }
    lower = {
        "instance_normalization": instance_normalization(runtime),
        "reduce_mean": reduce_mean,
    }[lowering]

    def convert(graph, node, _name, _arguments):
        axes, constants, epsilon = marked.get(node.get_attr_str("message"), (None, None, None))
        (x,), outputs = node.input, node.output
        layer = node.name.rpartition("/")[0]
        dtype, shape = graph.get_dtype(x), graph.get_shape(x)
        graph.remove_node(node.name)
        if axes is None:
            graph.make_node("Identity", [x], outputs=outputs, shapes=[shape], dtypes=[dtype])
            return
        shape = shape or [-1] * axes.rank  # tf2onnx loses it in some loops
        channels_first = [0, axes.channel, *axes.spatial]
        transposed = [shape[axis] for axis in channels_first]
        if axes.channel == 1:
            build = NormalizationBuilder(graph, layer, dtype, transposed, epsilon, outputs)
            lower(build, _minus_running_mean(build, x, constants), constants)
            return
        build = NormalizationBuilder(graph, layer, dtype, transposed, epsilon)
        x = build.big("Transpose", x, perm=channels_first)
        y = lower(build, _minus_running_mean(build, x, constants), constants)
        back = [int(axis) for axis in np.argsort(channels_first)]
        build = NormalizationBuilder(graph, layer, dtype, shape, epsilon, outputs)
        build.last("Transpose", y, perm=back)

    return convert


def _without_zeros(constants, shifts):
    """Drops a running mean that is 0, or that a layer without a batch branch does not need.

    Such a layer needs the mean unless it `shifts` its input by a value of the image.
    """
    mean = constants.mean
    if (shifts and constants.scale is None) or (mean is not None and not mean.any()):
        mean = None
    return constants._replace(mean=mean)


def _minus_running_mean(build, x, constants):
    """Subtracts the running mean, unless an earlier layer does, so float32 keeps more digits."""
    if constants.mean is None:
        return x
    return build.big("Sub", x, build.per_channel(constants.mean))
