"""Graphs that hold their weights as constants, as TensorFlow's GraphDef does."""

import collections
import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import numpy as np

from ..tensorflow_internals import operator_definition


class FrozenGraph:
    """A graph of operators and constants that can be changed, and run.

    Tensors are named `"<node>:<number>"`.

    Args:
        definition: the GraphDef; it is changed in place.
        inputs: tensors that are fed, in the order of a function's arguments.
        outputs: maps names of outputs to tensors.
        captured: maps tensors to resources outside the graph that they stand for, such as
            lookup tables, or variables that the graph assigns.
        values: maps the inputs that are weights to their values.
        variables: maps constants to the handles of the variables that they used to be.

    Attributes:
        definition: see above.
        inputs: see above.
        outputs: see above.
        captured: see above.
        values: see above.
        variables: see above.
        nodes: the nodes by name.
    """

    def __init__(
        self,
        definition,
        inputs: list[str],
        outputs: dict[str, str],
        captured: dict,
        values: dict[str, np.ndarray] | None = None,
        variables: dict | None = None,
    ):
        self.definition = definition
        self.inputs = inputs
        self.outputs = outputs
        self.captured = captured
        self.values = values or {}
        self.variables = variables or {}
        self.nodes = {node.name: node for node in definition.node}
        self._readers: dict[str, list[str]] | None = None

    def copy(self) -> "FrozenGraph":
        """Returns a graph that can be changed without changing this one."""
        definition = type(self.definition)()
        definition.CopyFrom(self.definition)
        dicts = (self.outputs, self.captured, self.values, self.variables)
        return FrozenGraph(definition, list(self.inputs), *map(dict, dicts))

    def data_inputs(self, node) -> list[str]:
        """Returns the tensors that a node reads, without the nodes that it only waits for."""
        return [tensor_name(name) for name in node.input if not name.startswith("^")]

    def maker(self, tensor: str):
        """Returns the node that makes a tensor."""
        return self.nodes[node_name(tensor)]

    def output(self, node, number: int) -> str:
        """Returns the name of an output of a node."""
        return f"{node.name}:{number}"

    def constant(self, tensor: str) -> np.ndarray | None:
        """Returns the value of a tensor, or None if it is not a constant."""
        import tensorflow as tf

        tensor = self.origin(tensor)
        if tensor in self.values:
            return self.values[tensor]
        node = self.maker(tensor)
        return tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None

    def origin(self, tensor: str) -> str:
        """Returns the tensor that a chain of Identity nodes starts from."""
        while (node := self.maker(tensor)).op == "Identity":
            tensor = self.data_inputs(node)[0]
        return tensor

    def replaced(self, tensor: str, value: np.ndarray) -> str:
        """Returns a tensor with a new value to use instead of the constant `tensor`."""
        origin = self.origin(tensor)
        if origin not in self.values:
            return self.add_constant(node_name(origin), value)
        self.values[origin] = value
        return origin

    def shapes(self) -> dict[str, tuple[int | None, ...] | None]:
        """Returns the shape of every tensor, or None if its rank is not known."""
        import tensorflow as tf

        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(self.definition, name="")
            return {
                tensor.name: None if tensor.shape.rank is None else tuple(tensor.shape)
                for operation in graph.get_operations()
                for tensor in operation.outputs
            }

    def dtype(self, tensor: str):
        """Returns the dtype of an input, a `tf.DType`."""
        import tensorflow as tf

        return tf.as_dtype(self.maker(tensor).attr["dtype"].type)

    def in_order(self) -> Iterator:
        """Yields the nodes, each after those that it depends on."""
        done = set()
        for start in list(self.definition.node):
            waiting = [start.name]
            while waiting:
                name = waiting[-1]
                missing = [n for n in map(node_name, self.nodes[name].input) if n not in done]
                if name in done or not missing:
                    waiting.pop()
                    if name not in done:
                        done.add(name)
                        yield self.nodes[name]
                else:
                    waiting += missing

    def add_constant(self, name: str, value: np.ndarray) -> str:
        """Adds a constant under a new name, and returns its tensor."""
        import tensorflow as tf

        node = self.add_node("Const", name)
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        return tensor_name(node.name)

    def add_node(self, operator: str, name: str, inputs: Iterable[str] = ()):
        """Adds a node under a new name that starts with `name`, and returns it."""
        name = unused_name(name, self.nodes)
        node = self.definition.node.add(op=operator, name=name, input=inputs)
        self.nodes[name] = node
        if self._readers is not None:
            for tensor in self.data_inputs(node):
                self._readers[tensor].append(name)
        return node

    def readers(self, tensor: str) -> list[str]:
        """Returns the names of the nodes that read a tensor, each as often as it reads it."""
        if self._readers is None:
            self._readers = collections.defaultdict(list)
            for node in self.nodes.values():
                for name in self.data_inputs(node):
                    self._readers[name].append(node.name)
        return list(self._readers.get(tensor, ()))

    def read(self, node, number: int, tensor: str) -> None:
        """Makes a node read another tensor as its input of that number."""
        if self._readers is not None:
            self._readers[tensor_name(node.input[number])].remove(node.name)
            self._readers[tensor].append(node.name)
        node.input[number] = tensor

    def replace(self, old: str, new: str) -> None:
        """Makes every reader of one tensor read another, except the node that makes the other."""
        for reader in dict.fromkeys(self.readers(old)):
            node = self.nodes[reader]
            for number, name in enumerate(node.input):
                is_old = not name.startswith("^") and tensor_name(name) == old
                if is_old and reader != node_name(new):
                    self.read(node, number, new)
        for name, tensor in self.outputs.items():
            if tensor == old:
                self.outputs[name] = new

    def prune(self) -> None:
        """Removes nodes that no output depends on, and control inputs that have no effect."""
        effects = self._effects()
        for node in self.nodes.values():
            kept = [name for name in node.input if name[0] != "^" or node_name(name) in effects]
            if len(kept) < len(node.input):
                del node.input[:]
                node.input.extend(kept)
        ends = [*self.outputs.values(), *self.inputs, *self.captured]
        ends += [node.name for node in self.assigning()]
        wanted = self._closure(map(node_name, ends))
        definition = type(self.definition)()
        definition.library.CopyFrom(self.definition.library)
        definition.versions.CopyFrom(self.definition.versions)
        definition.node.extend(node for name, node in self.nodes.items() if name in wanted)
        self.definition = definition
        self.nodes = {node.name: node for node in definition.node}
        self._readers = None

    def drop_assignments(self) -> None:
        """Removes what changes variables, and variables that no output then depends on."""
        for node in self.definition.node:
            kept = self.data_inputs(node)
            if len(kept) < len(node.input):
                del node.input[:]
                node.input.extend(kept)
        assigning = {node.name for node in self.assigning()}
        self.nodes = {name: node for name, node in self.nodes.items() if name not in assigning}
        wanted = self._closure(map(node_name, self.outputs.values()))
        self.captured = {
            tensor: resource
            for tensor, resource in self.captured.items()
            if node_name(tensor) in wanted
        }
        self.prune()

    def _closure(self, names):
        found, waiting = set(), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += map(node_name, self.nodes[name].input)
        return found

    def _effects(self):
        """Returns the names of nodes that have an effect, or depend on a node that has one."""
        readers = collections.defaultdict(list)
        waiting = []
        for node in self.nodes.values():
            for name in node.input:
                readers[node_name(name)].append(node.name)
            known = operator_definition(node.op)
            if (known is None or known.is_stateful) and node.op != "Placeholder":
                waiting.append(node.name)
        found = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += readers[name]
        return found

    def function(self, specs: Sequence, shapes: Mapping[str, tuple] | None = None):
        """Returns a `tf.function` that computes the graph.

        Args:
            specs: a TensorSpec for each of `inputs`.
            shapes: maps names of outputs to their shapes, as graphs lose some static sizes.
        """
        import tensorflow as tf

        wrapped = tf.compat.v1.wrap_function(
            lambda: tf.graph_util.import_graph_def(self.definition, name=""), []
        )
        fed = [wrapped.graph.get_tensor_by_name(name) for name in (*self.inputs, *self.captured)]
        read = [wrapped.graph.get_tensor_by_name(name) for name in self.outputs.values()]
        assigned = [wrapped.graph.get_operation_by_name(node.name) for node in self.assigning()]
        compute = wrapped.prune(fed, [*read, *assigned])

        @tf.function(input_signature=specs, autograph=False)
        def serve(*tensors):
            results = compute(*tensors, *self.captured.values())[: len(self.outputs)]
            named = dict(zip(self.outputs, results, strict=True))
            for name, shape in (shapes or {}).items():
                if named[name].shape.is_compatible_with(shape):
                    named[name].set_shape(shape)
            return named

        return serve

    def assigning(self) -> list:
        """Returns the nodes that change state that outlives a call."""
        return [node for node in self.nodes.values() if node.op in _ASSIGNING]


_ASSIGNING = frozenset(
    ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "ResourceScatterUpdate")
)


def unused_name(name: str, used: Container[str]) -> str:
    """Returns `name`, or a new name that starts with it."""
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
    return next(new for new in names if new not in used)


def tensor_name(name: str) -> str:
    """Returns the full name of a tensor that a node lists as its input."""
    return name if ":" in name else f"{name}:0"


def node_name(name: str) -> str:
    """Returns the name of the node behind a tensor name or a control input."""
    return name.removeprefix("^").partition(":")[0]


def attribute(node, name: str):
    """Returns an attribute of a node, or an empty one; a plain look-up would add a missing one."""
    return node.attr[name] if name in node.attr else type(node).AttrEntry().value
