"""SavedModels that TensorFlow Serving could not serve are recognized by their files."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import OperatorError, ShapeError, VerificationError
from keras_bin.export.saved_models.structure import check_structure
from keras_bin.export.tensorflow_internals import COMPILED, parse_saved_model

SHAPE = (None, 2)


def write(path, function, shape=SHAPE, second=None, second_name="serve"):
    """Writes a SavedModel of a function of `x`, under both signatures."""
    module = tf.Module()
    names = ("serving_default", second_name)
    signatures = {
        name: tf.function(function, autograph=False).get_concrete_function(
            tf.TensorSpec(own_shape, name="x")
        )
        for name, own_shape in zip(names, (shape, second or shape), strict=True)
    }
    tf.saved_model.save(module, str(path), signatures)
    return path


def edit(path, change):
    """Changes the graph of a SavedModel in its file."""
    file = path / "saved_model.pb"
    content = parse_saved_model(file.read_bytes())
    change(content.meta_graphs[0])
    file.write_bytes(content.SerializeToString())
    return path


def double(x):
    return {"y": 2 * x}


def test_good_one_passes_every_check(tmp_path):
    checks = check_structure(write(tmp_path, double))
    assert len(checks) == 4
    assert all(isinstance(check, str) for check in checks)


@pytest.mark.parametrize(
    "arguments",
    [{"second_name": "other"}, {"second": (None, 3)}],
    ids=["missing", "another shape"],
)
def test_signatures_must_be_there_and_equal(arguments, tmp_path):
    with pytest.raises(VerificationError, match="must both be there and have the same") as caught:
        check_structure(write(tmp_path, double, **arguments))
    names = [line.partition(":")[0] for line in caught.value.differences]
    assert names == sorted([repr("serving_default"), repr(arguments.get("second_name", "serve"))])
    assert "(None, 2)" in str(caught.value)


def test_graph_that_no_server_loads_is_refused(tmp_path):
    def retag(graph):
        graph.meta_info_def.tags[:] = ["train"]

    with pytest.raises(VerificationError, match="the graph with the tag 'serve'") as caught:
        check_structure(edit(write(tmp_path, double), retag))
    assert caught.value.differences == ("['train']",)


def test_fixed_batch_of_an_input_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="batch axis, of a free size") as caught:
        check_structure(write(tmp_path, double, shape=(4, 2)))
    assert "serve inputs 'x': shape (4, 2)" in caught.value.differences
    assert "serving_default outputs 'y': shape (4, 2)" in caught.value.differences


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: {"y": tf.reshape(x, (4, -1))}, "(4, None)"),
        (lambda x: {"y": tf.reduce_sum(x)}, "()"),
        (lambda x: {"y": tf.raw_ops.PlaceholderWithDefault(input=x, shape=None)}, "None"),
    ],
    ids=["fixed", "none", "unknown rank"],
)
def test_output_without_a_free_batch_is_refused(function, shape, tmp_path):
    with pytest.raises(ShapeError) as caught:
        check_structure(write(tmp_path, function))
    assert caught.value.differences == tuple(
        f"{name} outputs 'y': shape {shape}" for name in ("serving_default", "serve")
    )


@pytest.mark.parametrize(
    ("call", "operator"),
    [
        (lambda x: tf.py_function(np.negative, [x], tf.float32), "EagerPyFunc"),
        (lambda x: tf.numpy_function(np.negative, [x], tf.float32), "PyFunc"),
        (
            lambda x: tf.numpy_function(np.negative, [x], tf.float32, stateful=False),
            "PyFuncStateless",
        ),
    ],
    ids=["py_function", "numpy_function", "stateless"],
)
def test_python_functions_are_refused(call, operator, tmp_path):
    def function(x):
        return {"y": tf.ensure_shape(call(x), SHAPE)}

    with pytest.raises(OperatorError, match="no Python function") as caught:
        check_structure(write(tmp_path, function))
    assert len(caught.value.differences) == 2
    assert all(line.startswith(f"{operator} in function") for line in caught.value.differences)


@pytest.mark.parametrize("operator", ["SentencepieceOp", "Addons>Multiply"])
@pytest.mark.parametrize("place", ["the graph", "function"])
def test_operators_of_packages_are_refused(place, operator, tmp_path):
    def replace(graph):
        if place == "the graph":
            graph.graph_def.node.add(name="own", op=operator)
            return
        nodes = [node for f in graph.graph_def.library.function for node in f.node_def]
        next(node for node in nodes if node.op == "Mul").op = operator

    with pytest.raises(OperatorError, match="only TensorFlow's own operators") as caught:
        check_structure(edit(write(tmp_path, double), replace))
    assert caught.value.differences[0].startswith(f"{operator} in {place}")


def test_operators_registered_under_a_name_of_their_own_are_refused(tmp_path):
    """TensorFlow's tests have one, which is registered in every process."""

    def add(graph):
        graph.graph_def.node.add(name="own", op="Namespace>TestStringOutput")

    with pytest.raises(OperatorError) as caught:
        check_structure(edit(write(tmp_path, double), add))
    assert caught.value.differences == ("Namespace>TestStringOutput in the graph",)


def test_function_that_must_be_compiled_is_refused(tmp_path):
    compiled = tf.function(lambda x: x + 1, jit_compile=True)
    with pytest.raises(OperatorError, match="jit_compile=True") as caught:
        check_structure(write(tmp_path, lambda x: {"y": compiled(x)}))
    kinds = {line.split()[0] for line in caught.value.differences}
    assert kinds == {"PartitionedCall", "function"}


@pytest.mark.parametrize("value", [True, False])
def test_node_that_must_be_compiled_is_refused(value, tmp_path):
    def mark(graph):
        graph.graph_def.node[0].attr[COMPILED].b = value

    path = edit(write(tmp_path, double), mark)
    if not value:
        assert len(check_structure(path)) == 4
        return
    with pytest.raises(OperatorError) as caught:
        check_structure(path)
    assert len(caught.value.differences) == 1
    assert caught.value.differences[0].endswith("in the graph")
