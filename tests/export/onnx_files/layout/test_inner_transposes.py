"""Which transposes count as inner transposes."""

import pytest
from onnx import TensorProto, helper

from keras_bin.export.onnx_files.layout.inner_transposes import inner_transposes


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
        (["Conv"], 0),
        (["Transpose", "Conv", "Transpose"], 0),
        (["Unsqueeze", "Transpose", "Conv", "Transpose", "Squeeze"], 0),
        (["Conv", "Transpose", "Relu", "Transpose", "Conv"], 2),
        (["Conv", "Transpose", "Relu"], 0),
        (["Transpose", "Conv", "Transpose", "Relu", "Transpose", "Conv", "Transpose"], 2),
        (["Conv", "Squeeze", "Transpose", "Relu", "Transpose", "Unsqueeze", "Conv"], 2),
        (["Conv", "Transpose", "Reshape", "Relu"], 0),
        (["Conv", "Reshape", "Transpose", "Relu"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_transposes_at_the_edges_and_beside_reshapes_are_not_counted(operators, count):
    assert inner_transposes(chain(*operators)) == count


@pytest.mark.parametrize(
    "operators",
    [
        ["MatMul", "Mul", "Transpose", "MatMul"],
        ["Conv", "Reshape", "Slice", "Transpose", "MatMul"],
        ["MatMul", "Transpose", "Add", "MatMul", "Conv"],
    ],
    ids=" ".join,
)
def test_transposes_away_from_what_wants_its_channels_first_are_the_models_own(operators):
    assert inner_transposes(chain(*operators)) == 0


@pytest.mark.parametrize("through", ["Relu", "Concat", "Pad", "Softmax", "Squeeze"])
def test_what_does_not_mind_the_order_of_axes_may_stand_between(through):
    there = ["Conv", "Transpose", through, "Transpose", "Conv"]
    assert inner_transposes(chain(*there)) == 2
    assert inner_transposes(chain("Conv", "Transpose", through, "MatMul", "Conv")) == 0


def test_a_constant_that_two_operators_share_does_not_make_them_neighbours():
    model = chain("Conv", "Reshape", "Mul", "Transpose", "MatMul")
    model.graph.initializer.add(name="half", data_type=TensorProto.FLOAT, float_data=[0.5])
    model.graph.node[2].input.append("half")
    model.graph.node.append(helper.make_node("Mul", ["1", "half"], ["other"]))
    assert inner_transposes(model) == 0


def test_transposes_in_branches_are_counted():
    body = chain("Conv", "Transpose", "Relu", "Transpose", "Conv").graph
    branch = helper.make_node("If", ["0"], ["1"], then_branch=body, else_branch=body)
    ends = [
        [helper.make_tensor_value_info(name, kind, None)]
        for name, kind in (("0", TensorProto.BOOL), ("1", TensorProto.FLOAT))
    ]
    assert inner_transposes(helper.make_model(helper.make_graph([branch], "g", *ends))) == 4
