"""Moving the transposes that tf2onnx leaves inside a graph to its edges."""

from keras_bin.export.onnx_files.transposes import inner_transposes

_ONE_ARGUMENT = (
    *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Floor"),
    *("HardSigmoid", "HardSwish", "IsInf", "IsNaN", "Mish", "Not", "Round", "Sign", "Sin", "Sinh"),
    *("Softsign", "Tan", "ThresholdedRelu"),
)
_MORE_ARGUMENTS = (
    *("And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod", "Or"),
    *("Pow", "Where", "Xor"),
)
# What is done to pictures before the first convolution.
_SCALING = ("Add", "Cast", "Clip", "Div", "Max", "Min", "Mul", "Neg", "Pad", "Pow", "Sqrt", "Sub")


def move_transposes_out(proto):
    """Returns an ONNX model with fewer transposes inside, if there are any.

    tf2onnx 1.17 pushes transposes down a graph until they meet their inverse, but not through
    every elementwise operator: those that it knows nothing of are made known to it here.

    Args:
        proto: an `onnx.ModelProto` that tf2onnx made.
    """
    if not inner_transposes(proto):
        return proto
    from tf2onnx import optimizer
    from tf2onnx.graph import GraphUtil

    passes = {
        "transposes": _transpose_optimizer(),
        "constants": optimizer.const_fold_optimizer.ConstFoldOptimizer,
        "identities": optimizer.identity_optimizer.IdentityOptimizer,
        "pairs": optimizer.back_to_back_optimizer.BackToBackOptimizer,
    }
    return GraphUtil.optimize_model_proto(_with_pairs(proto), optimizers=passes)


def _with_pairs(proto):
    """Puts a Transpose and its inverse at inputs that are scaled before they are transposed.

    The inverse is pushed down to where it meets the Transpose inside.
    """
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    graph = changed.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {value.name for value in graph.input} - constants
    made_by = {name: node for node in graph.node for name in node.output}
    pairs = {}
    for node in graph.node:
        if node.op_type == "Transpose":
            source = _source(node.input[0], made_by, constants)
            if source in inputs and source != node.input[0]:
                pairs[source] = list(node.attribute[0].ints)
    for source, perm in pairs.items():
        first, back = f"{source}_channels_first", f"{source}_channels_last"
        for node in graph.node:
            node.input[:] = [back if name == source else name for name in node.input]
        inverse = sorted(range(len(perm)), key=perm.__getitem__)
        ends = ([source], [first], perm), ([first], [back], inverse)
        for place, (before, after, order) in enumerate(ends):
            node = onnx.helper.make_node("Transpose", before, after, name=after[0], perm=order)
            graph.node.insert(place, node)
    return changed


def _source(name, made_by, constants):
    """Follows a value up through elementwise operators of one argument that is no constant."""
    while name in made_by:
        node = made_by[name]
        sources = [each for each in node.input if each not in constants]
        if node.op_type not in _SCALING or len(sources) != 1:
            return name
        (name,) = sources
    return name


def _transpose_optimizer():
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer
    from tf2onnx.utils import make_name

    class Optimizer(TransposeOptimizer):
        """Knows every elementwise operator."""

        def _initialize_handlers(self):
            super()._initialize_handlers()
            for name in _ONE_ARGUMENT:
                self._handler_map[name] = self._simple_through_handler
            for name in _MORE_ARGUMENTS:
                self._handler_map[name] = self._handle_node_having_branches
            self._handler_map["Mul"] = self._multiply
            self._handler_map["Split"] = self._split

        def _handle_nhwc_tranpose(self, trans):
            """Leaves those at inputs, which are where they should be."""
            at_input = trans.inputs[0].is_graph_input()
            return not at_input and super()._handle_nhwc_tranpose(trans)

        def _multiply(self, transpose, node):
            """Multiplies by what is no vector, too."""
            return self._mul_handler(transpose, node) or self._handle_node_having_branches(
                transpose, node
            )

        def _split(self, transpose, node):
            """Splits first, and transposes each part."""
            if not self._nodes_has_single_consumer_node([transpose]):
                return False
            graph, perm = self._g, transpose.get_attr_value("perm")
            node.set_attr("axis", perm[node.get_attr_value("axis", 0)])
            graph.replace_input(node, node.input[0], transpose.input[0], 0)
            for output in list(node.output):
                shape = graph.get_shape(output)
                part = graph.insert_new_node_on_output(
                    "Transpose", output, name=make_name(node.name), perm=perm
                )
                if shape is not None:
                    graph.set_shape(part.output[0], shape)
                    graph.set_shape(output, [shape[perm.index(axis)] for axis in range(len(perm))])
            graph.remove_node(transpose.name)
            return True

    return Optimizer
