"""How the statistics of a sample are written in ONNX."""

from collections.abc import Callable, Container

import numpy as np

from ..tf2onnx_internals import new_name
from ..tracing.forms import LayerCall

LOWERINGS = ("instance_normalization", "reduce_mean")
DEFAULT_LOWERING = "instance_normalization"

# Gathering pays where at most this share of the channels is gathered: in ONNX Runtime on a CPU, a
# residual net gains nothing where 60 % are, 0 to 3 % where 50 % are, and 3 to 10 % where 40 % are.
_MOST_GATHERED = 0.5
_FROM_THE_END = -8
_FAR = 2**31 - 1  # a step beyond every end leaves one element


def check_lowering(lowering: str) -> None:
    """Checks that `lowering` is one of `LOWERINGS`.

    Raises:
        ValueError: it is not.
    """
    if lowering not in LOWERINGS:
        raise ValueError(
            f"`lowering` must be one of {list(LOWERINGS)}. Received: lowering={lowering!r}"
        )


def mark(x, call: LayerCall):
    """Leaves a mark in TensorFlow's graph where the statistics of a sample are needed.

    The mark is a CheckNumerics, which hands on its input and carries a text. `converter` puts
    ONNX operators in its place.
    """
    import tensorflow as tf

    return tf.raw_ops.CheckNumerics(tensor=x, message=call.mark)


def converter(calls: list[LayerCall], parted: Container[str], lowering: str) -> Callable:
    """Returns a handler of tf2onnx for CheckNumerics.

    Args:
        calls: the calls of normalization layers in the traced model.
        parted: marks of those whose `handed_over` part an operator before has taken.
        lowering: one of `keras_bin.export.onnx_files.lowering.LOWERINGS`.
    """
    marked = {
        call.mark: (
            call.axes,
            _lowered(call.constants.handed_over()[2] if call.mark in parted else call.constants),
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
        to_first = [0, axes.channel, *axes.spatial]
        first = [shape[axis] for axis in to_first]
        if axes.channel == 1:
            build = _Builder(graph, node.name, dtype, first, epsilon, outputs)
            lower(build, _centered(build, x, constants), constants)
            return
        build = _Builder(graph, node.name, dtype, first, epsilon)
        x = build.big("Transpose", x, perm=to_first)
        y = lower(build, _centered(build, x, constants), constants)
        back = [int(axis) for axis in np.argsort(to_first)]
        build = _Builder(graph, node.name, dtype, shape, epsilon, outputs)
        build.last("Transpose", y, perm=back)

    return convert


def _lowered(constants):
    """Leaves out what is 0."""
    mean = constants.mean
    if constants.scale is None or (mean is not None and not mean.any()):
        mean = None  # an instance normalization alone needs no running mean
    return constants._replace(mean=mean)


def _of(constants, channels):
    """Returns the constants of some channels, of an input that is centred."""
    scale = constants.scale[channels]
    return constants._replace(
        scale=scale if scale.any() else None,
        offset=constants.offset[channels],
        instance_scale=constants.instance_scale[channels],
        mean=None,
    )


class _Builder:
    """Adds nodes to a graph of tf2onnx, channels first.

    Args:
        graph: the graph.
        name: what the names of new nodes start with.
        dtype: of all tensors.
        shape: of big tensors, channels first; -1 where a size is free.
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
        """Adds a constant that broadcasts along the channel axis."""
        return self.constant(np.reshape(values, (-1, *[1] * (len(self._shape) - 2))))

    def of_channels(self, channels):
        """Returns a builder for big tensors of another number of channels."""
        shape = [self._shape[0], channels, *self._shape[2:]]
        return _Builder(self._graph, self._name, self._dtype, shape, self.epsilon)

    def gather(self, add, x, channels):
        """Adds a selection of channels, by `big` or `last`."""
        indices = self._graph.make_const(new_name(self._name), channels.astype("int64"))
        return add("Gather", x, indices.output[0], axis=1)

    def inner_element(self, x):
        """Adds one element of each sample and channel; a constant minus it is 0.

        It is away from the edges, where padding makes a difference: in the middle where the size
        is known, else the 8th from the end, or the first of fewer.
        """
        sizes = self._shape[2:]
        starts = [_FROM_THE_END if size < 0 else size // 2 for size in sizes]
        ends = [_FAR if size < 0 else size // 2 + 1 for size in sizes]
        axes = list(range(2, len(self._shape)))
        steps = [[_FAR] * len(sizes)] if _FAR in ends else []
        return self.small("Slice", x, *map(self._shared, (starts, ends, axes, *steps)))

    def _shared(self, integers):
        """Adds a constant once for all layers."""
        name = f"keras_bin_{'_'.join(map(str, integers))}"
        node = self._graph.get_node_by_name(name)
        node = node or self._graph.make_const(name, np.array(integers, "int64"))
        return node.output[0]

    def small(self, operator, *inputs, **attributes):
        """Adds a node whose result has one value per sample and channel."""
        return self._graph.make_node(operator, list(inputs), attr=attributes).output[0]

    def mean(self, x):
        """Adds a mean over the spatial axes, which keeps them."""
        # Counted from the end, as tf2onnx would make a GlobalAveragePool of it otherwise.
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
        """Adds a big node that, where there are `outputs`, has their names."""
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


def _centered(build, x, constants):
    """Subtracts the running mean first, where no layer before does: float32 keeps its digits."""
    if constants.mean is None:
        return x
    return build.big("Sub", x, build.per_channel(constants.mean))


def _instance_normalization(build, x, constants):
    """One operator, and a multiply-add where there is a batch branch.

    Where most channels are affine maps that the layer before has taken, only the others are
    looked at: they are gathered, and put back in their places.
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
        build.big("Sub", x, build.inner_element(x)),
        build.constant(constants.instance_scale),
        build.constant(constants.offset),
        epsilon=build.epsilon,
    )


def _reduce_mean(build, x, constants):
    """Mean and variance by ReduceMean, and a multiply-add."""
    pilot = build.inner_element(x)
    x = build.big("Sub", x, pilot)
    mean = build.mean(x)
    distance = build.big("Sub", x, mean)
    variance = build.mean(build.big("Mul", distance, distance))
    epsilon = build.constant(build.epsilon)
    deviation = build.small("Sqrt", build.small("Add", variance, epsilon))
    slope = build.small("Div", build.per_channel(constants.instance_scale), deviation)
    intercept = build.per_channel(constants.offset)
    if constants.scale is not None:
        scale = build.per_channel(constants.scale)
        slope = build.small("Add", slope, scale)
        mean = build.small("Add", mean, pilot)
        intercept = build.small("Add", build.small("Mul", mean, scale), intercept)
    return build.last("Add", build.big("Mul", distance, slope), intercept)
