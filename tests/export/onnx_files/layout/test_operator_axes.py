"""Operators compute the same after their region has changed to another order of axes."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_bin.export.onnx_files.layout.moving import move_transposes_out
from tests.export.onnx_files.converted import kinds, run


def ints(*values):
    return np.array(values, "int64")


# Operator, further inputs, attributes; each is applied to (2, 4, 5, 3), channels last.
OPERATORS = {
    "constant of all axes": ("Add", [np.arange(60.0).reshape(1, 4, 5, 3)], {}),
    "constant of fewer axes": ("Mul", [np.arange(15.0).reshape(5, 3)], {}),
    "scalar": ("Sub", [np.array(2.0)], {}),
    "concat": ("Concat", [np.ones((2, 4, 5, 2))], {"axis": 3}),
    "concat from the end": ("Concat", [np.ones((2, 4, 1, 3))], {"axis": -2}),
    "softmax": ("Softmax", [], {}),
    "gather": ("Gather", [ints(2, 0)], {"axis": -1}),
    "mean": ("ReduceMean", [], {"axes": [-1], "keepdims": 1}),
    "sum": ("ReduceSum", [ints(1, 2)], {"keepdims": 1}),
    "slice": ("Slice", [ints(1, 0), ints(4, 2), ints(2, -1)], {}),
    "pad": ("Pad", [ints(0, 1, 0, 2, 0, 0, 3, 0)], {}),
    "tile": ("Tile", [ints(1, 2, 1, 3)], {}),
    "slope": ("PRelu", [np.array([0.1, 0.2, 0.3])], {}),
    "clip": ("Clip", [np.array(-0.5), np.array(0.5)], {}),
}


def between_transposes(operator, constants, attributes):
    """Puts an operator between transposes, as between two convolutions."""
    constants = [
        numpy_helper.from_array(c if c.dtype.kind == "i" else c.astype("float32"), f"c{number}")
        for number, c in enumerate(constants)
    ]
    names = [constant.name for constant in constants]
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[1, 1]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node(operator, ["b", *names], ["c"], **attributes),
        helper.make_node("Transpose", ["c"], ["d"], perm=[0, 3, 1, 2]),
        helper.make_node("MaxPool", ["d"], ["y"], kernel_shape=[1, 1]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["batch", 3, 4, 5]), ("y", None))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("operator", "constants", "attributes"), OPERATORS.values(), ids=OPERATORS)
def test_an_operator_computes_the_same_in_another_order(operator, constants, attributes):
    proto = between_transposes(operator, constants, attributes)
    moved = move_transposes_out(proto)
    assert kinds(moved) == ["MaxPool", operator, "MaxPool"]
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    np.testing.assert_allclose(run(moved, x)[0], run(proto, x)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("operator", ["MatMul", "CumSum"])
def test_an_operator_with_an_order_of_its_own_stays_between(operator):
    constant = np.eye(3) if operator == "MatMul" else ints(1)[0]
    proto = between_transposes(operator, [np.asarray(constant)], {})
    assert move_transposes_out(proto) is proto
