"""Which nodes become int8."""

import numpy as np
import onnx
import pytest

from keras_bin.export.onnx_files.statistics import statistics_nodes
from keras_bin.export.quantizing.nodes import integer_nodes, sort_nodes
from tests.export.quantizing.nets import exported

MIXED, BATCH = ("mixed",) * 3, ("batch",) * 3


def graph_of(*given, **options):
    return onnx.load(exported(*given, **options)).graph


@pytest.fixture(scope="module")
def absorbed(tmp_path_factory):
    """The graph of a net whose normalizations leave no node."""
    return graph_of(tmp_path_factory.mktemp("batch"), BATCH)


def kinds(graph, names):
    return sorted(node.op_type for node in graph.node if node.name in names)


@pytest.mark.parametrize("runtime", ["any", "onnxruntime", "openvino"])
@pytest.mark.parametrize("lowering", ["instance_normalization", "reduce_mean"])
def test_all_nodes_of_a_layer_belong_to_its_statistics(lowering, runtime, tmp_path, absorbed):
    graph = graph_of(tmp_path, MIXED, runtime=runtime, lowering=lowering)
    others = [node.op_type for node in graph.node if node.name not in statistics_nodes(graph)]
    assert sorted(others) == sorted(node.op_type for node in absorbed.node)


def test_net_of_batch_normalization_has_no_statistics(absorbed):
    graph, nodes = absorbed, sort_nodes(absorbed)
    assert not nodes.statistics | nodes.last | nodes.between
    assert kinds(graph, integer_nodes(graph, nodes)).count("Conv") == 3


def test_result_before_statistics_is_followed_back_to_linear_operators(tmp_path):
    graph = graph_of(tmp_path, ("mixed", "batch", "mixed"))
    nodes = sort_nodes(graph)
    assert len(nodes.linear) == 4
    # The third convolution, and the first, whose 27 products a value do not pay.
    assert kinds(graph, nodes.last) == ["Conv", "Conv"]
    assert not nodes.between
    integer = integer_nodes(graph, nodes)
    assert kinds(graph, integer).count("Conv") == 2


def test_sum_before_statistics_stays_in_float():
    graph = onnx.parser.parse_graph(
        """agraph (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y)
        {
            a = Conv <pads = [1, 1, 1, 1]> (x, w)
            b = Relu(a)
            c = Conv <pads = [1, 1, 1, 1]> (b, w)
            d = Add(a, c)
            y = InstanceNormalization(d, one, one)
        }"""
    )
    for name, shape in {"w": (16, 16, 3, 3), "one": (16,)}.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.ones(shape, "float32"), name))
    for node in graph.node:
        node.name = node.output[0]
    nodes = sort_nodes(graph)
    assert nodes.statistics == {"y"}
    assert nodes.between == {"d"}
    assert nodes.last == {"a", "c"}
    assert integer_nodes(graph, nodes) == ["a", "c"]


@pytest.mark.parametrize("norm", ["group", "instance"])
def test_other_layers_have_statistics_too(norm, tmp_path):
    graph = graph_of(tmp_path, (norm,) * 3)
    nodes = sort_nodes(graph)
    assert kinds(graph, nodes.last) == ["Conv"] * 3
    assert len(nodes.statistics) >= 3
