"""Which transposes count as inner ones."""

import pytest
from onnx import TensorProto, helper

from keras_bin.export.onnx_files.transposes import inner_transposes


def chain(*operators):
    """Returns a model that applies operators one after the other."""
    nodes = [
        helper.make_node(operator, [f"{index}"], [f"{index + 1}"])
        for index, operator in enumerate(operators)
    ]
    ends = (
        [helper.make_tensor_value_info(f"{index}", TensorProto.FLOAT, None)]
        for index in (0, len(operators))
    )
    return helper.make_model(helper.make_graph(nodes, "g", *ends))


@pytest.mark.parametrize(
    ("operators", "count"),
    [
        (["Relu"], 0),
        (["Transpose", "Relu", "Transpose"], 0),
        (["Relu", "Transpose", "Relu"], 1),
        (["Transpose", "Relu", "Transpose", "Relu", "Transpose", "Relu", "Transpose"], 2),
        (["Relu", "Transpose", "Reshape", "Relu"], 0),
        (["Relu", "Reshape", "Transpose", "Relu"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_transposes_at_the_edges_and_beside_reshapes_are_not_counted(operators, count):
    assert inner_transposes(chain(*operators)) == count


def test_transposes_in_branches_are_counted():
    body = chain("Relu", "Transpose", "Relu").graph
    branch = helper.make_node("If", ["0"], ["1"], then_branch=body, else_branch=body)
    ends = [
        [helper.make_tensor_value_info(name, kind, None)]
        for name, kind in (("0", TensorProto.BOOL), ("1", TensorProto.FLOAT))
    ]
    assert inner_transposes(helper.make_model(helper.make_graph([branch], "g", *ends))) == 2
