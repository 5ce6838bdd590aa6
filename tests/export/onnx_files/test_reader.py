"""How an ONNX file is described."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from keras_bin.export import export_onnx
from keras_bin.export.onnx_files.reader import OnnxTensor, describe_onnx
from testing.weights import randomize
from tests.export.folders import sequence_model
from tests.export.kinds import IMAGE, bin_model, classifier


def branching(path):
    """Writes a file with a branch, an initializer among its inputs and a free size of no name."""
    x = helper.make_tensor_value_info("x", TensorProto.INT64, [None, 2])
    weight = helper.make_tensor_value_info("weight", TensorProto.INT64, [2])
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    y = helper.make_tensor_value_info("y", TensorProto.INT64, [None, 2])
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(kind, ["x", "weight"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.INT64, None)],
        )
        for name, kind in (("then", "Add"), ("else", "Mul"))
    }
    nodes = [
        helper.make_node("If", ["flag"], ["z"], **branches),
        helper.make_node("Neg", ["z"], ["w"]),
        helper.make_node("Neg", ["w"], ["v"]),
        helper.make_node("Own", ["v"], ["y"], domain="com.example"),
    ]
    constant = onnx.numpy_helper.from_array(np.array([1, 2]), "weight")
    graph = helper.make_graph(nodes, "branching", [x, weight, flag], [y], [constant])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 3)]
    proto = helper.make_model(graph, opset_imports=opsets, producer_name="hand")
    helper.set_model_props(proto, {"source": "digits"})
    onnx.save(proto, path)
    return path


def test_tensors_operators_and_versions_are_those_of_the_file(tmp_path):
    path = branching(tmp_path / "model.onnx")
    found = describe_onnx(path)
    assert found.inputs == (OnnxTensor("x", (None, 2), "int64"), OnnxTensor("flag", (), "bool"))
    assert found.outputs == (OnnxTensor("y", (None, 2), "int64"),)
    assert list(found.operators.items()) == [
        ("Neg", 2),
        ("Add", 1),
        ("If", 1),
        ("Mul", 1),
        ("com.example.Own", 1),
    ]
    assert found.opsets == {"": 17, "com.example": 3}
    assert found.metadata == {"source": "digits"}
    assert (found.size, found.producer) == (path.stat().st_size, "hand")


def test_values_that_are_no_numbers_have_a_dtype(tmp_path):
    proto = sequence_model()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    onnx.save(proto, tmp_path / "model.onnx")
    found = describe_onnx(tmp_path / "model.onnx")
    assert found.inputs == (OnnxTensor("x", ("batch", 2), "string"),)
    assert found.outputs == (OnnxTensor("y", (), "sequence"),)


@pytest.mark.parametrize(
    ("number", "dtype"), [(0, "unknown"), (99, "dtype 99"), (TensorProto.BFLOAT16, "bfloat16")]
)
def test_dtypes_that_numpy_lacks_are_described(number, dtype, tmp_path):
    proto = sequence_model()
    proto.graph.input[0].type.tensor_type.elem_type = number
    onnx.save(proto, tmp_path / "model.onnx")
    assert [tensor.dtype for tensor in describe_onnx(tmp_path / "model.onnx").inputs] == [dtype]


@pytest.mark.parametrize("name", ["model.json", "model.textproto", "model.onnxtxt", "model"])
def test_content_counts_and_not_the_name(name, tmp_path):
    path = branching(tmp_path / "model.onnx").rename(tmp_path / name)
    assert describe_onnx(path).outputs[0].name == "y"
    path.write_text("hi: 1")
    with pytest.raises(ValueError, match=f"The ONNX file is damaged.*{name}"):
        describe_onnx(path)


@pytest.mark.parametrize("opset", [13, 18])
def test_export_is_described(opset, tmp_path):
    path = export_onnx(randomize(classifier()), tmp_path / "model.onnx", opset=opset).path
    found = describe_onnx(path)
    assert found.opsets[""] == opset
    assert found.inputs == (OnnxTensor("image", ("batch", *IMAGE), "float32"),)
    assert found.operators["Conv"] == 2


def test_plain_values_survive_strict_json(tmp_path):
    plain = describe_onnx(export_onnx(bin_model(), tmp_path / "model.onnx").path).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["kind"] == "onnx"
    assert plain["inputs"][0]["shape"] == ["batch", *IMAGE]


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"no proto", r"damaged or truncated"), (b"", r"must hold a graph with outputs")],
    ids=["other", "empty"],
)
def test_other_file_is_refused(content, match, tmp_path):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=rf"{match}.*Received: '.*model.onnx'"):
        describe_onnx(tmp_path / "model.onnx")
