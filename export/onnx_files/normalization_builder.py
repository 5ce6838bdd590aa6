"""Adding the operators of a normalization layer to a tf2onnx graph."""

import numpy as np

from ..tf2onnx_internals import new_name
from .statistics import name_in

_FROM_THE_END = -8
_FAR = 2**31 - 1  # a step past the end of any axis leaves one element


class NormalizationBuilder:
    """Adds nodes to a tf2onnx graph, channels first.

    Args:
        graph: the graph.
        name: path of the layer; the names of new nodes start with it.
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
        """Returns a builder for activations with another number of channels."""
        shape = [self._shape[0], channels, *self._shape[2:]]
        return NormalizationBuilder(self._graph, self._name, self._dtype, shape, self.epsilon)

    @property
    def rank(self):
        """Number of axes of the activation."""
        return len(self._shape)

    def scale_and_shift(self, add, x, *per_channel):
        """Adds a depthwise convolution with kernels of one element, by `big` or `last`.

        Args:
            add: `big` or `last`.
            x: an activation of rank 4.
            *per_channel: the factor of each channel, and the summand of each if there is one.
        """
        factors, *summands = per_channel
        kernel = self.constant(np.reshape(factors, (-1, 1, 1, 1)))
        summands = map(self.constant, summands)
        return add("Conv", x, kernel, *summands, kernel_shape=[1, 1], group=len(factors))

    def gather(self, add, x, channels):
        """Adds a selection of channels, by `big` or `last`."""
        indices = self._graph.make_const(new_name(self._name), channels.astype("int64"))
        return add("Gather", x, indices.output[0], axis=1)

    def reference_value(self, x):
        """Selects one element of each sample and channel; in a constant image, this is the mean.

        It is taken away from the edges, which padding changes: in the middle of an axis of known
        size, otherwise the 8th from the end, or the first if there are fewer.
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
        return self._graph.make_node(
            operator, list(inputs), attr=attributes, name=self._new_name(operator)
        ).output[0]

    def mean(self, x):
        """Adds a mean over the spatial axes, which become 1."""
        # Counted from the end, or tf2onnx would turn it into a GlobalAveragePool.
        axes = list(range(2 - len(self._shape), 0))
        if self._graph.opset < 18:
            return self.small("ReduceMean", x, axes=axes, keepdims=1)
        axes = self._graph.make_const(new_name(self._name), np.array(axes, "int64")).output[0]
        return self.small("ReduceMean", x, axes, keepdims=1)

    def big(self, operator, *inputs, **attributes):
        """Adds a node whose result has the shape of the activation."""
        return self._graph.make_node(
            operator,
            list(inputs),
            attr=attributes,
            name=self._new_name(operator),
            shapes=[self._shape],
            dtypes=[self._dtype],
        ).output[0]

    def last(self, operator, *inputs, **attributes):
        """Adds a node like `big`, which gets the names of `outputs` if there are any."""
        if self._outputs is None:
            return self.big(operator, *inputs, **attributes)
        return self._graph.make_node(
            operator,
            list(inputs),
            attr=attributes,
            name=self._new_name(operator),
            outputs=self._outputs,
            shapes=[self._shape],
            dtypes=[self._dtype],
        ).output[0]

    def _new_name(self, operator):
        return new_name(name_in(self._name, operator))
