"""TensorFlow operators that absorb an affine map per channel into their weights.

`folding.linear_layers` has the same rule for Keras layers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .frozen_graph import FrozenGraph, attribute, node_name, tensor_name


class Affine(NamedTuple):
    """An affine map of one value per channel, `scale * x + offset`.

    Attributes:
        scale: shape `(channels,)` or `()`.
        offset: likewise.
    """

    scale: np.ndarray
    offset: np.ndarray


class Outcome(NamedTuple):
    """What became of an affine map.

    Attributes:
        reason: why it was not absorbed; empty if it was.
        kernel: the tensor of weights that absorbed it, if any.
    """

    reason: str = ""
    kernel: str = ""


class _Linear(NamedTuple):
    """What is known of a kind of linear operator.

    Attributes:
        data: index of the input that it is linear in.
        kernel: index of the input that holds its weights.
        broadcast: brings one value per output channel into a shape that broadcasts with them.
    """

    data: int
    kernel: int
    broadcast: Callable


def _last(values, kernel):
    return values


def _before_last(values, kernel):
    return values[:, None]


def _depthwise(values, kernel):
    return values.reshape(kernel.shape[-2:])


_LINEAR = {
    "Conv2D": _Linear(0, 1, _last),
    "Conv3D": _Linear(0, 1, _last),
    "MatMul": _Linear(0, 1, _last),
    "BatchMatMulV2": _Linear(0, 1, _last),
    "DepthwiseConv2dNative": _Linear(0, 1, _depthwise),
    "Conv2DBackpropInput": _Linear(2, 1, _before_last),
    "Conv3DBackpropInputV2": _Linear(2, 1, _before_last),
}
# They return what they read, in another shape with the same last axis or in other batch sizes.
_TRANSPARENT = ("BatchToSpaceND", "Identity", "Reshape", "Squeeze")
_TRANSPOSING = ("transpose_a", "transpose_b", "adj_x", "adj_y")
_ADDING = ("Add", "AddV2", "BiasAdd")


class Absorber:
    """Absorbs affine maps into the weights of the linear operators before them.

    An operator absorbs a map if its weights are constants that nothing else reads, and if nothing
    else reads its result. Weights are computed in float64 and rounded once, by `finish`.

    Args:
        graph: the graph, whose constants have already been evaluated.
    """

    def __init__(self, graph: FrozenGraph):
        self._graph = graph
        self._shapes: dict[str, Any] = graph.shapes()
        self._taken: dict[str, Affine] = {}
        self._bypassed: set[str] = set()

    def absorb_all(self) -> dict[str, Outcome]:
        """Absorbs every affine map in the graph that it can; returns outcomes by node name."""
        outcomes = {}
        for node in list(self._graph.in_order()):
            found = self._affine(node)
            if found is None:
                continue
            tensor, affine = found
            outcomes[node.name] = self.absorb(tensor, affine)
            if not outcomes[node.name].reason:
                self._bypassed.add(node.name)
                self._graph.replace(tensor_name(node.name), tensor)
        return outcomes

    def absorb(self, tensor: str, affine: Affine) -> Outcome:
        """Makes a linear operator compute `affine` of a tensor instead of the tensor."""
        node, orders, reason = self._linear(tensor)
        if reason:
            return Outcome(reason)
        shape = self._shapes[tensor]
        axis = self._channel_axis(node, len(shape))
        for order in orders:
            axis = order.index(axis)
        channels = shape[axis]
        made = self._shapes[tensor_name(node.name)]
        if channels != made[self._channel_axis(node, len(made))]:
            return Outcome(f"the channels of {_named(node)} are reshaped before it")
        scale, offset = (_per_channel(part, len(shape), axis, channels) for part in affine)
        if scale is None or offset is None:
            return Outcome(f"it is not an affine map of the channels of {_named(node)}")
        taken_scale, taken_offset = self._taken.get(node.name, (np.ones(()), np.zeros(())))
        self._taken[node.name] = Affine(
            taken_scale * scale, np.broadcast_to(taken_offset * scale + offset, channels)
        )
        kernel = self._graph.data_inputs(node)[_LINEAR[node.op].kernel]
        return Outcome(kernel=self._graph.origin(kernel))

    def finish(self) -> None:
        """Writes the weights of the operators that have absorbed something."""
        for name, (scale, offset) in self._taken.items():
            node = self._graph.nodes[name]
            kind = _LINEAR[node.op]
            if np.any(scale != 1):
                self._scale(node, kind, np.broadcast_to(scale, offset.shape))
            if np.any(offset != 0):
                self._add_bias(node, offset)
        self._graph.prune()

    def _scale(self, node, kind, scale):
        tensor = self._graph.data_inputs(node)[kind.kernel]
        kernel = self._graph.constant(tensor)
        scaled = kernel.astype("float64") * kind.broadcast(scale, kernel)
        new = self._graph.replaced(tensor, scaled.astype(kernel.dtype))
        self._graph.read(node, kind.kernel, new)

    def _add_bias(self, node, offset):
        graph = self._graph
        made = tensor_name(node.name)
        bias = graph.add_constant(f"{node.name}_bias", offset.astype(self._dtype(node)))
        new = graph.add_node("BiasAdd", f"{node.name}_BiasAdd", [made, bias])
        new.attr["T"].CopyFrom(node.attr["T"])
        first = self._channel_axis(node, len(self._shapes[made])) == 1
        is_first = first and len(self._shapes[made]) > 2
        new.attr["data_format"].s = b"NCHW" if is_first else b"NHWC"
        graph.replace(made, tensor_name(new.name))

    def _dtype(self, node):
        import tensorflow as tf

        return tf.as_dtype(node.attr["T"].type).as_numpy_dtype

    def _linear(self, tensor):
        """Looks for the operator that can absorb what follows a tensor.

        Returns:
            The operator, the orders in which its axes are transposed up to the tensor, and why
            it cannot absorb; empty if it can.
        """
        graph = self._graph
        orders, same_axes = [], True
        while True:
            node = graph.maker(tensor)
            if node.op == "Placeholder":
                return node, [], "its input is an input of the model"
            if self._readers(tensor) + (tensor in graph.outputs.values()) > 1:
                return node, [], f"the output of {_named(node)} is used elsewhere too"
            if node.op in _LINEAR:
                first = attribute(node, "data_format").s.startswith(b"NC")
                reshaped = f"the output of {_named(node)} is reshaped before it"
                return node, orders, reshaped if first and not same_axes else self._refusal(node)
            order = self._order(node) if same_axes else None
            if order is not None:
                orders.insert(0, order)
            elif self._hands_on(node, tensor):
                same_axes = same_axes and node.op == "Identity"
            else:
                reason = (
                    f"what it reads comes from {_named(node)}, which is not a convolution or "
                    "matrix product with constant weights"
                )
                return node, [], reason
            tensor = graph.data_inputs(node)[0]

    def _order(self, node):
        """Returns the order of axes of a Transpose, or None for other nodes."""
        if node.op != "Transpose":
            return None
        order = self._graph.constant(self._graph.data_inputs(node)[1])
        return None if order is None else order.tolist()

    def _hands_on(self, node, tensor):
        if node.op not in _TRANSPARENT or not node.input:
            return False
        before = self._shapes[self._graph.data_inputs(node)[0]]
        after = self._shapes[tensor]
        if node.op == "Identity":
            return True
        return bool(before) and bool(after) and before[-1] == after[-1] is not None

    def _refusal(self, node):
        graph = self._graph
        kind = _LINEAR[node.op]
        inputs = graph.data_inputs(node)
        shape = self._shapes[tensor_name(node.name)]
        kernel = graph.constant(inputs[kind.kernel])
        if kernel is None or kernel.dtype.kind != "f" or not shape:
            return f"the weights of {_named(node)} are not constants"
        if self._times_read(inputs[kind.kernel]) > 1:
            return f"the weights of {_named(node)} are used elsewhere too"
        if any(attribute(node, name).b for name in _TRANSPOSING):
            return f"the weights of {_named(node)} are transposed"
        if node.op == "BatchMatMulV2" and kernel.ndim != 2:
            return f"{_named(node)} has different weights for each sample"
        if shape[self._channel_axis(node, len(shape))] is None:
            return f"the number of channels of {_named(node)} is not known"
        return ""

    def _readers(self, tensor):
        """Counts the nodes that read a tensor, except those that are bypassed."""
        return sum(name not in self._bypassed for name in self._graph.readers(tensor))

    def _times_read(self, tensor):
        """Counts the readers of a constant, looking through nodes that only pass it on."""
        times = self._readers(tensor)
        node = self._graph.maker(tensor)
        while node.op == "Identity":
            tensor = self._graph.data_inputs(node)[0]
            times = max(times, self._readers(tensor))
            node = self._graph.maker(tensor)
        return times

    def _channel_axis(self, node, rank):
        """Returns the channel axis after a linear operator: 1 or the last."""
        return 1 if attribute(node, "data_format").s.startswith(b"NC") else rank - 1

    def _affine(self, node):
        """Returns what an affine node reads, and its map; None for other nodes."""
        inputs = self._graph.data_inputs(node)
        if node.op not in (*_ADDING, "Mul", "Sub", "RealDiv") or len(inputs) != 2:
            return None
        values = [self._graph.constant(tensor) for tensor in inputs]
        if (values[0] is None) == (values[1] is None):
            return None
        index = 0 if values[0] is None else 1
        value = values[1 - index]
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            return None
        if node.op == "RealDiv" and (index == 1 or not value.all()):
            return None
        value = value.astype("float64")
        rank = len(self._shapes[inputs[index]] or ())
        if node.op == "BiasAdd" and attribute(node, "data_format").s.startswith(b"NC"):
            value = value.reshape(-1, *[1] * (rank - 2))
        one, zero = np.ones(()), np.zeros(())
        affine = {
            "Mul": lambda: Affine(value, zero),
            "RealDiv": lambda: Affine(1 / value, zero),
            "Sub": lambda: Affine(one, -value) if index == 0 else Affine(-one, value),
        }.get(node.op, lambda: Affine(one, value))()
        return inputs[index], affine


def _per_channel(values, rank, axis, channels):
    """Returns values as one per channel, or None if they differ along another axis."""
    values = np.asarray(values, "float64")
    if values.ndim > rank:
        return None
    shape = [1] * (rank - values.ndim) + list(values.shape)
    if any(size != 1 for index, size in enumerate(shape) if index != axis):
        return None
    if shape[axis] not in (1, channels):
        return None
    return np.broadcast_to(values.reshape(-1), channels)


def _named(node):
    return f"{node.op} {node_name(node.name)!r}"
