"""Bodies of functions that a graph calls, such as the bodies of loops."""

from collections.abc import Iterable

from .frozen_graph import node_name, unused_name
from .operators import arguments, definition


class FunctionBody:
    """The body of a function, which can be changed like a `FrozenGraph`.

    Tensors are named `"<node>:<argument>:<number>"`, as TensorFlow does inside functions.

    Args:
        function: the FunctionDef; it is changed in place.

    Attributes:
        nodes: the nodes by name.
    """

    def __init__(self, function):
        self._function = function
        self.nodes = {node.name: node for node in function.node_def}

    def output(self, node, number: int) -> str:
        """Returns the name of an output of a node."""
        argument = list(arguments(node, definition(node).output_arg))[number]
        return f"{node.name}:{argument.name}:{argument.number}"

    def add_node(self, operator: str, name: str, inputs: Iterable[str] = ()):
        """Adds a node under a new name that starts with `name`, and returns it."""
        arguments = [argument.name for argument in self._function.signature.input_arg]
        name = unused_name(name, {*self.nodes, *arguments})
        node = self._function.node_def.add(op=operator, name=name, input=inputs)
        self.nodes[name] = node
        return node

    def read(self, node, number: int, tensor: str) -> None:
        """Makes a node read another tensor as its input of that number."""
        node.input[number] = tensor

    def replace(self, old: str, new: str) -> None:
        """Makes every reader of one tensor read another, except the node that makes the other."""
        for node in self._function.node_def:
            for number, name in enumerate(node.input):
                if name == old and node.name != node_name(new):
                    node.input[number] = new
        for name, tensor in self._function.ret.items():
            if tensor == old:
                self._function.ret[name] = new
