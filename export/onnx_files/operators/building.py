"""Replacing a TensorFlow node with ONNX nodes in a tf2onnx graph."""

import numpy as np

from ...tf2onnx_internals import new_name


class Builder:
    """Removes a node, and adds ONNX nodes in its place.

    The node that `last` adds gets the outputs of the removed one.

    Args:
        graph: the tf2onnx graph.
        node: the TensorFlow node.
    """

    def __init__(self, graph, node):
        self.graph = graph
        self._name = node.name
        self._outputs = list(node.output)
        self._shapes, self._dtypes = node.output_shapes, node.output_dtypes
        graph.remove_node(node.name)

    def add(self, operator, *inputs, **attributes):
        """Adds a node, and returns the name of its output."""
        return self.graph.make_node(operator, list(inputs), attr=attributes).output[0]

    def last(self, operator, *inputs, **attributes):
        """Adds the node that gets the outputs of the removed one."""
        self.graph.make_node(
            operator,
            list(inputs),
            attr=attributes,
            outputs=self._outputs,
            shapes=self._shapes,
            dtypes=self._dtypes,
        )

    def constant(self, values, dtype):
        """Adds a constant, and returns the name of its output."""
        values = np.asarray(values, dtype)
        return self.graph.make_const(new_name(self._name), values).output[0]

    def cast(self, x, dtype):
        """Casts `x` to an ONNX dtype if it has another."""
        if self.graph.get_dtype(x) == dtype:
            return x
        return self.add("Cast", x, to=dtype)
