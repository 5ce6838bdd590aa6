"""Changes of a graph, and who reads what after them."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export.tracing.frozen_graph import FrozenGraph, tensor_name


def chain():
    """A graph `a -> b -> c`, `c` and `d` of which read `b`, `d` twice; the outputs are c and b."""
    graph = FrozenGraph(tf.compat.v1.GraphDef(), ["a:0"], {"c": "c:0", "b": "b:0"}, {})
    for operator, name, inputs in (
        ("Placeholder", "a", []),
        ("Neg", "b", ["a"]),
        ("Abs", "c", ["b"]),
        ("Mul", "d", ["b", "b:0"]),
        ("NoOp", "waits", ["^b"]),
    ):
        node = graph.add_node(operator, name, inputs)
        node.attr["dtype" if operator == "Placeholder" else "T"].type = tf.float32.as_datatype_enum
    return graph


def added(graph, name, *inputs):
    node = graph.add_node("AddN", name, inputs)
    node.attr["T"].type = tf.float32.as_datatype_enum
    return tensor_name(node.name)


@pytest.mark.parametrize("asked", [False, True], ids=["never asked", "asked before"])
def test_all_readers_and_outputs_are_moved(asked):
    graph = chain()
    if asked:
        assert graph.readers("b:0") == ["c", "d", "d"]
    graph.replace("b:0", added(graph, "other", "a"))
    assert [list(graph.nodes[name].input) for name in "cd"] == [["other:0"], ["other:0"] * 2]
    assert graph.outputs == {"c": "c:0", "b": "other:0"}
    assert list(graph.nodes["waits"].input) == ["^b"]
    assert (graph.readers("b:0"), graph.readers("other:0")) == ([], ["c", "d", "d"])


def test_what_stands_for_a_tensor_may_read_it():
    graph = chain()
    graph.replace("b:0", added(graph, "more", "b"))
    assert list(graph.nodes["more"].input) == ["b"]
    assert list(graph.nodes["c"].input) == ["more:0"]
    assert graph.readers("b:0") == ["more"]


def test_readers_follow_every_change():
    graph = chain()
    assert graph.readers("a:0") == ["b"]
    graph.read(graph.nodes["d"], 1, "a:0")
    assert graph.readers("a:0") == ["b", "d"]
    assert graph.readers("b:0") == ["c", "d"]
    constant = graph.add_constant("constant", np.float32(2))
    added(graph, "sum", constant)
    assert graph.readers(constant) == ["sum"]
    graph.prune()
    assert graph.readers(constant) == []
    assert graph.readers("b:0") == ["c"]
