"""ONNX files are read whole, by their content."""

import pytest
from onnx import TensorProto, helper

from keras_bin.export.onnx_files.proto import read_proto


@pytest.mark.parametrize("name", ["model.onnx", "model.json", "model.textproto", "model"])
def test_content_counts_and_not_the_name(name, tmp_path):
    weight = helper.make_tensor("w", TensorProto.FLOAT, [9], bytes(36), raw=True)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="missing.data")
    proto = helper.make_model(helper.make_graph([], "g", [], [], [weight]))
    (tmp_path / name).write_bytes(proto.SerializeToString())
    assert read_proto(tmp_path / name) == proto


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no proto")
    with pytest.raises(ValueError, match=r"damaged.*model.onnx'; protobuf says: "):
        read_proto(tmp_path / "model.onnx")


def test_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_proto(tmp_path / "missing.onnx")
