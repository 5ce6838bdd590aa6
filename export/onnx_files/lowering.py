"""Writing instance normalization, the part of a layer that needs statistics of a sample, in ONNX.

The part is first marked in TensorFlow's graph; while tf2onnx converts that, the mark becomes
either the operator InstanceNormalization or arithmetic around ReduceMean.
"""

from collections.abc import Callable, Container

import numpy as np

from ..tf2onnx_internals import new_name
from ..tracing.forms import LayerCall

LOWERINGS = ("instance_normalization", "reduce_mean")
DEFAULT_LOWERING = "instance_normalization"

# Gathering channels pays up to this share of them: in ONNX Runtime on a CPU, a residual net gains
# nothing at 60 %, 0 to 3 % at 50 %, and 3 to 10 % at 40 %.
_MOST_GATHERED = 0.5
_FROM_THE_END = -8
_FAR = 2**31 - 1  # a step past the end of any axis leaves one element


def check_lowering(lowering: str) -> None:
    """Checks that `lowering` is one of `LOWERINGS`.

    Raises:
        ValueError: it is not.
    """
    if lowering not in LOWERINGS:
        raise ValueError(
            f"`lowering` must be one of {list(LOWERINGS)}. Received: lowering={lowering!r}"
        )


def converter(calls: list[LayerCall], partly_absorbed: Container[str], lowering: str) -> Callable:
    """Returns a handler of tf2onnx that replaces each mark; see `keras_bin.export.tracing.marks`.

    Args:
        calls: the calls of normalization layers in the traced model.
        partly_absorbed: marks of the calls of which an earlier operator computes a part; see
            `Constants.split`.
        lowering: one of `keras_bin.export.onnx_files.lowering.LOWERINGS`.
    """
    marked = {
        call.mark: (
            call.axes,
            _without_zeros(
                call.constants.split()[2] if call.mark in partly_absorbed else call.constants
            ),
            call.layer.epsilon,
        )
        for call in calls
        if not call.constants.affine
    }
    lower = {
        "instance_normalization": _instance_normalization,
        "reduce_mean": _reduce_mean,
    }[lowering]

    def convert(graph, node, _name, _arguments):
        axes, constants, epsilon = marked.get(node.get_attr_str("message"), (None, None, None))
        (x,), outputs = node.input, node.output
        dtype, shape = graph.get_dtype(x), graph.get_shape(x)
        graph.remove_node(node.name)
        if axes is None:
            graph.make_node("Identity", [x], outputs=outputs, shapes=[shape], dtypes=[dtype])
            return
        shape = shape or [-1] * axes.rank  # tf2onnx loses it in some loops
        channels_first = [0, axes.channel, *axes.spatial]
        transposed = [shape[axis] for axis in channels_first]
        if axes.channel == 1:
            build = _NormalizationBuilder(graph, node.name, dtype, transposed, epsilon, outputs)
            lower(build, _minus_running_mean(build, x, constants), constants)
            return
        build = _NormalizationBuilder(graph, node.name, dtype, transposed, epsilon)
        x = build.big("Transpose", x, perm=channels_first)
        y = lower(build, _minus_running_mean(build, x, constants), constants)
        back = [int(axis) for axis in np.argsort(channels_first)]
        build = _NormalizationBuilder(graph, node.name, dtype, shape, epsilon, outputs)
        build.last("Transpose", y, perm=back)

    return convert


def _without_zeros(constants):
    """Drops a running mean that is 0, or that a layer without a batch branch does not need."""
    mean = constants.mean
    if constants.scale is None or (mean is not None and not mean.any()):
        mean = None
    return constants._replace(mean=mean)


def _of(constants, channels):
    """Returns the constants of some channels, for an input from which the mean is subtracted."""
    scale = constants.scale[channels]
    return constants._replace(
        scale=scale if scale.any() else None,
        offset=constants.offset[channels],
        instance_scale=constants.instance_scale[channels],
        mean=None,
    )


class _NormalizationBuilder:
    """Adds nodes to a graph of tf2onnx, channels first.

    Args:
        graph: the graph.
        name: start of the names of new nodes.
        dtype: dtype of all tensors.
        shape: shape of the activation, channels first; -1 for a free size.
        epsilon: added to the variance of a sample.
        outputs: names of the outputs of the last node, or None.
    """

    def __init__(self, graph, name, dtype, shape, epsilon, outputs=None):
        self.epsilon = epsilon
        self._graph = graph
        self._name = name
        self._dtype = dtype
        self._shape = shape
        self._outputs = outputs

    def constant(self, values):
        """Adds a constant of one value per channel, or a scalar."""
        import onnx

        dtype = onnx.helper.tensor_dtype_to_np_dtype(self._dtype)
        values = np.asarray(values, dtype)
        return self._graph.make_const(new_name(self._name), values).output[0]

    def per_channel(self, values):
        """Adds a constant of one value per channel that broadcasts to the activation."""
        return self.constant(np.reshape(values, (-1, *[1] * (len(self._shape) - 2))))

    def of_channels(self, channels):
        """Returns a builder for activations of another number of channels."""
        shape = [self._shape[0], channels, *self._shape[2:]]
        return _NormalizationBuilder(self._graph, self._name, self._dtype, shape, self.epsilon)

    def gather(self, add, x, channels):
        """Adds a selection of channels, by `big` or `last`."""
        indices = self._graph.make_const(new_name(self._name), channels.astype("int64"))
        return add("Gather", x, indices.output[0], axis=1)

    def reference_value(self, x):
        """Adds one element of each sample and channel, near the mean: that of a constant image.

        It is taken away from the edges, which padding changes: in the middle of an axis of known
        size, else the 8th from the end, or the first of fewer.
        """
        sizes = self._shape[2:]
        starts = [_FROM_THE_END if size < 0 else size // 2 for size in sizes]
        ends = [_FAR if size < 0 else size // 2 + 1 for size in sizes]
        axes = list(range(2, len(self._shape)))
        steps = [[_FAR] * len(sizes)] if _FAR in ends else []
        return self.small("Slice", x, *map(self._shared, (starts, ends, axes, *steps)))

    def _shared(self, integers):
        """Adds a constant that all layers share."""
        name = f"keras_bin_{'_'.join(map(str, integers))}"
        node = self._graph.get_node_by_name(name)
        node = node or self._graph.make_const(name, np.array(integers, "int64"))
        return node.output[0]

    def small(self, operator, *inputs, **attributes):
        """Adds a node whose result has one value per sample and channel."""
        return self._graph.make_node(operator, list(inputs), attr=attributes).output[0]

    def mean(self, x):
        """Adds a mean over the spatial axes, which become 1."""
        # Counted from the end, or tf2onnx would make it a GlobalAveragePool.
        axes = list(range(2 - len(self._shape), 0))
        if self._graph.opset < 18:
            return self.small("ReduceMean", x, axes=axes, keepdims=1)
        axes = self._graph.make_const(new_name(self._name), np.array(axes, "int64")).output[0]
        return self.small("ReduceMean", x, axes, keepdims=1)

    def big(self, operator, *inputs, **attributes):
        """Adds a node whose result has the shape of the activation."""
        return self._graph.make_node(
            operator, list(inputs), attr=attributes, shapes=[self._shape], dtypes=[self._dtype]
        ).output[0]

    def last(self, operator, *inputs, **attributes):
        """Adds a node like `big`, which gets the names of `outputs` if there are any."""
        if self._outputs is None:
            return self.big(operator, *inputs, **attributes)
        return self._graph.make_node(
            operator,
            list(inputs),
            attr=attributes,
            outputs=self._outputs,
            shapes=[self._shape],
            dtypes=[self._dtype],
        ).output[0]


def _minus_running_mean(build, x, constants):
    """Subtracts the running mean first, unless an earlier layer does: float32 keeps more digits."""
    if constants.mean is None:
        return x
    return build.big("Sub", x, build.per_channel(constants.mean))


def _instance_normalization(build, x, constants):
    """Adds one operator, and a multiply-add if there is a batch branch.

    Channels that stay as they are, as an earlier layer computes their affine map, are left out if
    they are many: the others are gathered, normalized, and put back in their places.
    """
    if constants.scale is None:
        return _normalized(build.last, build, x, constants)
    changes = (constants.instance_scale != 0) | (constants.scale != 1) | (constants.offset != 0)
    if changes.mean() > _MOST_GATHERED:
        normalized = _normalized(build.big, build, x, constants)
        scaled = build.big("Mul", x, build.per_channel(constants.scale))
        return build.last("Add", scaled, normalized)
    (chosen,) = np.nonzero(changes)
    part = build.of_channels(len(chosen))
    gathered = part.gather(part.big, x, chosen)
    changed = _instance_normalization(part, gathered, _of(constants, chosen))
    both = build.of_channels(len(changes) + len(chosen)).big("Concat", x, changed, axis=1)
    places = np.arange(len(changes))
    places[chosen] = len(changes) + np.arange(len(chosen))
    return build.gather(build.last, both, places)


def _normalized(add, build, x, constants):
    return add(
        "InstanceNormalization",
        build.big("Sub", x, build.reference_value(x)),
        build.constant(constants.instance_scale),
        build.constant(constants.offset),
        epsilon=build.epsilon,
    )


def _reduce_mean(build, x, constants):
    """Adds mean and variance by ReduceMean, and a multiply-add."""
    reference = build.reference_value(x)
    shifted = build.big("Sub", x, reference)  # float32 keeps more digits of its mean
    mean = build.mean(shifted)
    centered = build.big("Sub", shifted, mean)
    variance = build.mean(build.big("Mul", centered, centered))
    epsilon = build.constant(build.epsilon)
    standard_deviation = build.small("Sqrt", build.small("Add", variance, epsilon))
    slope = build.small("Div", build.per_channel(constants.instance_scale), standard_deviation)
    intercept = build.per_channel(constants.offset)
    if constants.scale is not None:
        scale = build.per_channel(constants.scale)
        slope = build.small("Add", slope, scale)
        mean = build.small("Add", mean, reference)
        intercept = build.small("Add", build.small("Mul", mean, scale), intercept)
    return build.last("Add", build.big("Mul", centered, slope), intercept)
