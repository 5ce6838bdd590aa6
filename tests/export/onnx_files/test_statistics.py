"""Which nodes of a graph take statistics of a sample."""

import onnx
import pytest

from keras_bin.export.onnx_files.statistics import statistics_nodes

# Each makes y of c, all nodes taking part.
STATISTICS = {
    "operator": "y = InstanceNormalization(c, g, b)",
    "layer normalization": "y = LayerNormalization(c, g)",
    "mean": "m = ReduceMean <axes = [2, 3]> (c) y = Sub(c, m)",
    "negative mean": "m = ReduceMean <axes = [2, 3]> (c) n = Neg(m) y = Add(c, n)",
    "mean by pooling": "m = GlobalAveragePool(c) y = Sub(c, m)",
    "variance": "m = ReduceMean <axes = [2, 3]> (c) d = Sub(c, m) q = Mul(d, d) "
    "v = ReduceMean <axes = [2, 3]> (q) e = Add(v, g) s = Sqrt(e) n = Div(d, s) h = Mul(n, g) "
    "y = Add(h, b)",
    "affine": "m = ReduceMean <axes = [2, 3]> (c) d = Sub(c, m) q = Mul(d, d) "
    "v = ReduceMean <axes = [2, 3]> (q) s = Sqrt(v) i = Reciprocal(s) k = Mul(c, i) "
    "h = Mul(m, i) y = Sub(k, h)",
    "one pass": "m = ReduceMean <axes = [2, 3]> (c) p = Mul(c, c) "
    "o = ReduceMean <axes = [2, 3]> (p) u = Mul(m, m) v = Sub(o, u) s = Sqrt(v) d = Sub(c, m) "
    "y = Div(d, s)",
    "root mean square": "q = Mul(c, c) v = ReduceMean <axes = [1]> (q) s = Sqrt(v) y = Div(c, s)",
    "norm": "s = ReduceL2 <axes = [2, 3]> (c) f = Max(s, g) y = Div(c, f)",
    "norm, expanded": "s = ReduceL2 <axes = [1]> (c) f = Clip(s, g) h = Shape(c) e = Expand(f, h) "
    "y = Div(c, e)",
    "variance above 0": "m = ReduceMean <axes = [2, 3]> (c) d = Sub(c, m) q = Mul(d, d) "
    "v = ReduceMean <axes = [2, 3]> (q) r = Relu(v) s = Sqrt(r) y = Div(d, s)",
    "groups": "r = Reshape(c, g) m = ReduceMean <axes = [2]> (r) d = Sub(r, m) y = Reshape(d, b)",
}
NONE = {
    "pooling": "m = GlobalAveragePool(c) f = Flatten(m) y = MatMul(f, g)",
    "gate by convolutions": "m = GlobalAveragePool(c) e = Conv(m, g) a = Sigmoid(e) y = Mul(c, a)",
    "residual": "r = Relu(c) e = Conv(r, g) y = Add(c, e)",
    "mean of one, from another": "r = Relu(c) m = ReduceMean <axes = [2, 3]> (r) y = Sub(c, m)",
    "scale and shift": "h = Mul(c, g) y = Add(h, b)",
}


def graph_of(text):
    graph = onnx.parser.parse_graph(f"t (float[n, 8, 4, 4] x) => (float y) {{ {text} }}")
    graph.initializer.extend(onnx.TensorProto(name=name) for name in "gb")
    for node in graph.node:
        node.name = f"make {node.output[0]}"
    return graph


def found_in(text):
    return {name.removeprefix("make ") for name in statistics_nodes(graph_of(text))}


@pytest.mark.parametrize("text", STATISTICS.values(), ids=STATISTICS)
def test_all_nodes_of_a_normalization_are_found(text):
    made = {node.output[0] for node in graph_of(text).node}
    of_shapes = {"r", "y"} if "Reshape" in text else {"h"} if "Shape" in text else set()
    assert found_in(f"c = Relu(x) {text}") >= made - of_shapes
    assert "c" not in found_in(f"c = Relu(x) {text}")


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_other_arithmetic_is_none(text):
    assert not found_in(f"c = Relu(x) {text}")


def test_it_ends_where_another_tensor_is_added():
    text = f"c = Relu(x) {STATISTICS['variance']} z = Add(y, x) w = Mul(z, g)"
    assert not {"z", "w"} & found_in(text)


def test_nodes_of_our_layers_are_told_by_their_names():
    graph = graph_of("c = Relu(x) h = Mul(c, g) y = Add(h, b)")
    graph.node[1].name = "net/bin/keras_bin/Mul__3"
    assert statistics_nodes(graph) == {"net/bin/keras_bin/Mul__3"}
