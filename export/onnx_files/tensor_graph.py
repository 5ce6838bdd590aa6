"""An ONNX graph whose tensors can be looked at through views."""

import collections
import copy
import itertools

import numpy as np

from . import views
from .views import View

_VIEWS = ("Reshape", "Squeeze", "Transpose", "Unsqueeze")


class TensorGraph:
    """The nodes of a graph, who makes and reads each tensor, and its shape.

    Args:
        proto: an `onnx.ModelProto` of opset 13 or above; it is not changed.

    Attributes:
        opset: version of the operator set.
        nodes: the nodes, each after those that it reads.
        inputs: names of the graph's inputs.
        outputs: names of the graph's outputs.
        makers: the node that makes a tensor, by the tensor's name.
        readers: the nodes that read a tensor, by the tensor's name.
    """

    def __init__(self, proto):
        import onnx

        self._proto = proto
        self.opset = next(each.version for each in proto.opset_import if not each.domain)
        graph = onnx.ModelProto()
        graph.CopyFrom(proto)
        self.nodes = list(graph.graph.node)
        self._initializers = {tensor.name: tensor for tensor in graph.graph.initializer}
        self.inputs = {value.name for value in graph.graph.input} - set(self._initializers)
        self.outputs = {value.name for value in graph.graph.output}
        self._sizes = _sizes(proto)
        self._names = set(self._sizes) | {
            name for node in self.nodes for name in (node.name, *node.output)
        }
        self.index()

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

    def index(self):
        """Drops nodes that nothing reads, sorts the others, and says who makes and reads what."""
        self.makers = {name: node for node in self.nodes for name in node.output if name}
        wanted, waiting = set(), list(self.outputs)
        while waiting:
            node = self.makers.get(waiting.pop())
            if node is not None and id(node) not in wanted:
                wanted.add(id(node))
                waiting += names_read(node)
        self.nodes = _in_order([node for node in self.nodes if id(node) in wanted], self.makers)
        self.makers = {name: node for node in self.nodes for name in node.output if name}
        self.readers = collections.defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(names_read(node)):
                self.readers[name].append(node)

    def nodes_as_they_are(self) -> list:
        """Returns copies of the nodes, to which `nodes` can be set back."""
        return copy.deepcopy(self.nodes)

    def cost(self) -> tuple[int, int, int]:
        """Counts transposes that neither read an input nor make an output, all, and other steps."""
        transposes = [node for node in self.nodes if node.op_type == "Transpose"]
        inner = [
            node
            for node in transposes
            if node.input[0] not in self.inputs and node.output[0] not in self.outputs
        ]
        steps = [node for node in self.nodes if node.op_type in ("Squeeze", "Unsqueeze")]
        return len(inner), len(transposes), len(steps)

    def sizes(self, tensor: str) -> list[int | None] | None:
        """Returns the shape of a tensor, None where its rank is not known."""
        return self._sizes.get(tensor)

    def constant(self, tensor: str) -> np.ndarray | None:
        """Returns the value of a constant, None if a tensor is none."""
        import onnx

        found = self._initializers.get(tensor)
        return None if found is None else onnx.numpy_helper.to_array(found)

    def add_constant(self, value: np.ndarray, like: str) -> str:
        """Adds a constant, and returns its name, which starts with that of another tensor."""
        import onnx

        name = self.new_name(like)
        self._initializers[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        self._sizes[name] = list(value.shape)
        return name

    def add_node(self, operator, inputs, output, sizes, **attributes):
        """Adds a node with one output, and returns that."""
        import onnx

        name = self.new_name(output)
        self.nodes.append(onnx.helper.make_node(operator, inputs, [output], name, **attributes))
        self._sizes[output] = sizes
        return output

    def new_name(self, like: str) -> str:
        """Returns a name that no tensor has."""
        names = (f"{like}__{number}" for number in itertools.count(1))
        name = next(new for new in names if new not in self._names)
        self._names.add(name)
        return name

    def set_sizes(self, tensor: str, sizes: list) -> None:
        """States the shape of a tensor."""
        self._sizes[tensor] = sizes

    def view_of(self, node) -> View | None:
        """Returns what a node does to its first input if that is a view of it, else None."""
        known = all(self.sizes(name) is not None for name in (node.input[0], node.output[0]))
        view = self._view_of(node) if node.op_type in _VIEWS and known else None
        # tf2onnx states wrong shapes in some loops.
        return view if view is not None and len(view) == len(self.sizes(node.output[0])) else None

    def _view_of(self, node):
        if node.op_type == "Reshape":
            return views.of_shapes(self.sizes(node.input[0]), self.sizes(node.output[0]))
        rank = len(self.sizes(node.input[0]))
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
        """Returns the tensor, made by no view, that one is a view of, and the view."""
        view = views.identity(len(self.sizes(tensor)))
        while (node := self.makers.get(tensor)) is not None:
            step = self.view_of(node)
            if step is None:
                break
            tensor, view = node.input[0], views.then(step, view)
        return tensor, view

    def viewed(self, tensor: str, view: View, output: str | None = None) -> str:
        """Returns a view of a tensor, by nodes that are added, or of a constant.

        Args:
            tensor: the name of the tensor.
            view: the view.
            output: a name that the result has to have.
        """
        value = self.constant(tensor)
        if value is not None and output is None:
            kept = [axis for axis in view if axis is not None]
            moved = value.transpose([*kept, *(a for a in range(value.ndim) if a not in kept)])
            return self.add_constant(moved.reshape(views.shape_of(view, value.shape)), tensor)
        sizes = list(self.sizes(tensor))
        squeezed, order, added = views.steps(view, sizes)
        steps = []
        if squeezed:
            sizes = [size for axis, size in enumerate(sizes) if axis not in squeezed]
            steps.append(("Squeeze", squeezed, sizes))
        if order:
            sizes = [sizes[axis] for axis in order]
            steps.append(("Transpose", order, sizes))
        if added:
            rest = iter(sizes)
            rank = len(sizes) + len(added)
            sizes = [1 if axis in added else next(rest) for axis in range(rank)]
            steps.append(("Unsqueeze", added, sizes))
        if not steps and output is not None:
            return self.add_node("Identity", [tensor], output, sizes)
        for number, (operator, axes, shape) in enumerate(steps, 1):
            last = output is not None and number == len(steps)
            name = output if last else self.new_name(tensor)
            if operator == "Transpose":
                tensor = self.add_node(operator, [tensor], name, shape, perm=axes)
            else:
                axes = self.add_constant(np.array(axes, "int64"), f"{name}_axes")
                tensor = self.add_node(operator, [tensor, axes], name, shape)
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
    """Returns the names of tensors that a node and its branches read."""
    names = [name for name in node.input if name]
    for each in node.attribute:
        for graph in (each.g, *each.graphs):
            for inner in graph.node:
                names += names_read(inner)
            names += [value.name for value in graph.output]
    return names


def _in_order(nodes, makers):
    """Sorts nodes so that each comes after those that it reads, and else as they stand."""
    kept = {id(node) for node in nodes}
    done, ordered = set(), []
    for start in nodes:
        waiting = [start]
        while waiting:
            node = waiting[-1]
            before = [makers.get(name) for name in names_read(node)]
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


def _sizes(proto):
    """Returns the shape of each tensor whose rank is known."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto).graph
    sizes = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        if value.type.tensor_type.HasField("shape"):
            sizes[value.name] = [
                dim.dim_value if dim.HasField("dim_value") else None
                for dim in value.type.tensor_type.shape.dim
            ]
    return sizes
