"""An ONNX graph that can be changed: its nodes, the shapes of its tensors, and views of them."""

import collections
import copy
import itertools

import numpy as np

from . import views
from .views import View

_VIEWS = ("Reshape", "Squeeze", "Transpose", "Unsqueeze")


class TensorGraph:
    """The nodes of an ONNX graph, and the producer, the consumers and the shape of each tensor.

    Args:
        proto: an `onnx.ModelProto` of opset 13 or above; it is not changed.

    Attributes:
        nodes: the nodes, in an order in which they can be run.
        inputs: names of the graph's inputs.
        outputs: names of the graph's outputs.
        producers: the node that makes a tensor, by the tensor's name.
        consumers: the nodes that read a tensor, by the tensor's name.
    """

    def __init__(self, proto):
        import onnx

        self._proto = proto
        graph = onnx.ModelProto()
        graph.CopyFrom(proto)
        self.nodes = list(graph.graph.node)
        self._initializers = {tensor.name: tensor for tensor in graph.graph.initializer}
        self.inputs = {value.name for value in graph.graph.input} - set(self._initializers)
        self.outputs = {value.name for value in graph.graph.output}
        self._shapes = _shapes(proto)
        self._names = set(self._shapes) | {
            name for node in self.nodes for name in (node.name, *node.output)
        }
        self.refresh()

    def model(self):
        """Returns the ONNX model as it is now."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._proto)
        read = {name for node in self.nodes for name in names_read(node)} | self.outputs
        del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
        model.graph.node.extend(self.nodes)
        model.graph.initializer.extend(
            tensor for name, tensor in self._initializers.items() if name in read
        )
        return model

    def refresh(self):
        """Updates everything to match `nodes`; drops unneeded nodes, and sorts the rest."""
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        wanted, waiting = set(), list(self.outputs)
        while waiting:
            node = self.producers.get(waiting.pop())
            if node is not None and id(node) not in wanted:
                wanted.add(id(node))
                waiting += names_read(node)
        self.nodes = _sorted([node for node in self.nodes if id(node) in wanted], self.producers)
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self.consumers = collections.defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(names_read(node)):
                self.consumers[name].append(node)

    def copied_nodes(self) -> list:
        """Returns a copy of the nodes with which changes can be undone."""
        return copy.deepcopy(self.nodes)

    def cost(self) -> tuple[int, int, int]:
        """Counts operators that change the layout.

        Returns:
            `(inner, transposes, others)`: transposes away from the graph's ends, all transposes,
            and operators that add or drop axes.
        """
        transposes = [node for node in self.nodes if node.op_type == "Transpose"]
        inner = [
            node
            for node in transposes
            if node.input[0] not in self.inputs and node.output[0] not in self.outputs
        ]
        steps = [node for node in self.nodes if node.op_type in ("Squeeze", "Unsqueeze")]
        return len(inner), len(transposes), len(steps)

    def shape(self, tensor: str) -> list[int | None] | None:
        """Returns the shape of a tensor, or None if its rank is not known."""
        return self._shapes.get(tensor)

    def constant(self, tensor: str) -> np.ndarray | None:
        """Returns the value of a tensor if it is a constant, else None."""
        import onnx

        found = self._initializers.get(tensor)
        return None if found is None else onnx.numpy_helper.to_array(found)

    def add_constant(self, value: np.ndarray, like: str) -> str:
        """Adds a constant with a new name that starts with `like`, and returns the name."""
        import onnx

        name = self.new_name(like)
        self._initializers[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        self._shapes[name] = list(value.shape)
        return name

    def add_node(self, operator, inputs, output, shape, **attributes):
        """Adds a node with one output, and returns the name of the output."""
        import onnx

        name = self.new_name(output)
        self.nodes.append(onnx.helper.make_node(operator, inputs, [output], name, **attributes))
        self._shapes[output] = shape
        return output

    def new_name(self, like: str) -> str:
        """Returns an unused name that starts with `like`."""
        names = (f"{like}__{number}" for number in itertools.count(1))
        name = next(new for new in names if new not in self._names)
        self._names.add(name)
        return name

    def set_shape(self, tensor: str, shape: list) -> None:
        """States the shape of a tensor."""
        self._shapes[tensor] = shape

    def view_of(self, node) -> View | None:
        """Returns the view that a node makes of its first input, or None if it makes none."""
        source, result = (self.shape(name) for name in (node.input[0], node.output[0]))
        if node.op_type not in _VIEWS or source is None or result is None:
            return None
        view = self._view_of(node)
        # tf2onnx states wrong shapes in some loops.
        return view if view is not None and len(view) == len(result) else None

    def _view_of(self, node):
        if node.op_type == "Reshape":
            return views.of_reshape(self.shape(node.input[0]), self.shape(node.output[0]))
        rank = len(self.shape(node.input[0]))
        if node.op_type == "Transpose":
            perm = tuple(attribute(node, "perm") or reversed(range(rank)))
            return perm if len(perm) == rank else None
        axes = self.constant(node.input[1]) if len(node.input) > 1 else None
        if axes is None:
            return None
        if node.op_type == "Squeeze":
            dropped = {int(axis) % rank for axis in axes}
            return tuple(axis for axis in range(rank) if axis not in dropped)
        added = {int(axis) % (rank + len(axes)) for axis in axes}
        old = iter(range(rank))
        return tuple(None if axis in added else next(old) for axis in range(rank + len(axes)))

    def source(self, tensor: str) -> tuple[str, View]:
        """Returns the tensor that `tensor` is ultimately a view of, and the view."""
        view = views.identity(len(self._shapes[tensor]))
        while (node := self.producers.get(tensor)) is not None:
            step = self.view_of(node)
            if step is None:
                break
            tensor, view = node.input[0], views.compose(step, view)
        return tensor, view

    def add_view(self, tensor: str, view: View, output: str | None = None) -> str:
        """Adds a view of a tensor, and returns its name; for a constant no nodes are added.

        Args:
            tensor: name of the tensor.
            view: the view.
            output: the name that the result must have, if any.
        """
        value = self.constant(tensor)
        if value is not None and output is None:
            kept = [axis for axis in view if axis is not None]
            moved = value.transpose([*kept, *(a for a in range(value.ndim) if a not in kept)])
            return self.add_constant(moved.reshape(views.shape_of(view, value.shape)), tensor)
        shape = list(self._shapes[tensor])
        squeezed, order, added = views.steps(view, shape)
        steps = []
        if squeezed:
            shape = [size for axis, size in enumerate(shape) if axis not in squeezed]
            steps.append(("Squeeze", squeezed, shape))
        if order:
            shape = [shape[axis] for axis in order]
            steps.append(("Transpose", order, shape))
        if added:
            rest = iter(shape)
            rank = len(shape) + len(added)
            shape = [1 if axis in added else next(rest) for axis in range(rank)]
            steps.append(("Unsqueeze", added, shape))
        if not steps and output is not None:
            return self.add_node("Identity", [tensor], output, shape)
        for number, (operator, axes, shape) in enumerate(steps, 1):
            last = output is not None and number == len(steps)
            name = output if last else self.new_name(tensor)
            if operator == "Transpose":
                tensor = self.add_node(operator, [tensor], name, shape, perm=axes)
            else:
                constant = self.add_constant(np.array(axes, "int64"), f"{name}_axes")
                tensor = self.add_node(operator, [tensor, constant], name, shape)
        return tensor


def attribute(node, name: str, default=None):
    """Returns the value of an attribute of a node."""
    import onnx

    for each in node.attribute:
        if each.name == name:
            return onnx.helper.get_attribute_value(each)
    return default


def set_attribute(node, name: str, value) -> None:
    """Sets an attribute of a node."""
    import onnx

    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])


def has_graphs(node) -> bool:
    """Returns whether a node has branches or a body, which may read any tensor."""
    return any(each.HasField("g") or each.graphs for each in node.attribute)


def names_read(node):
    """Returns the names of the tensors that a node and its branches read."""
    names = [name for name in node.input if name]
    for each in node.attribute:
        for graph in (each.g, *each.graphs):
            for inner in graph.node:
                names += names_read(inner)
            names += [value.name for value in graph.output]
    return names


def _sorted(nodes, producers):
    """Sorts nodes topologically, and otherwise keeps their order."""
    kept = {id(node) for node in nodes}
    done, ordered = set(), []
    for start in nodes:
        waiting = [start]
        while waiting:
            node = waiting[-1]
            before = [producers.get(name) for name in names_read(node)]
            missing = [
                each
                for each in before
                if each is not None
                and id(each) in kept
                and id(each) not in done
                and each is not node
            ]
            if id(node) in done or not missing:
                waiting.pop()
                if id(node) not in done:
                    done.add(id(node))
                    ordered.append(node)
            else:
                waiting += missing
    return ordered


def _shapes(proto):
    """Returns the shapes of all tensors whose rank is known."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = [
                dim.dim_value if dim.HasField("dim_value") else None
                for dim in value.type.tensor_type.shape.dim
            ]
    return shapes
