"""The size of an ONNX file is that of all its files."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_bin.export import export_onnx
from keras_bin.export.describe import describe
from keras_bin.export.models import weight_size
from keras_bin.export.onnx_files import external
from keras_bin.export.onnx_files.size import onnx_size
from keras_bin_cli.program import main
from tests.export.kinds import classifier


def outside(name, location, size):
    """Returns a tensor of that many bytes in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.UINT8, dims=[size])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def graph(nodes=(), initializers=()):
    y = helper.make_tensor_value_info("y", TensorProto.UINT8, None)
    return helper.make_graph(nodes, "graph", [], [y], initializers)


def constant(tensor):
    return helper.make_node("Constant", [], ["y"], value=tensor)


def in_a_branch(tensor):
    branch = graph([constant(tensor)])
    return graph([helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)])


def sparse(tensor):
    found = graph()
    found.sparse_initializer.add(values=tensor, dims=[9])
    return found


PLACES = {
    "initializer": lambda tensor: helper.make_model(graph((), [tensor])),
    "constant": lambda tensor: helper.make_model(graph([constant(tensor)])),
    "branch": lambda tensor: helper.make_model(in_a_branch(tensor)),
    "sparse": lambda tensor: helper.make_model(sparse(tensor)),
    "function": lambda tensor: helper.make_model(
        graph([helper.make_node("own", [], ["y"], domain="own")]),
        functions=[helper.make_function("own", "own", [], ["y"], [constant(tensor)], [])],
    ),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_weights_of_another_file_count_wherever_they_are_read(place, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(place(outside("w", "weights.bin", 500)), path)
    alone = path.stat().st_size
    assert onnx_size(path) == alone
    (tmp_path / "weights.bin").write_bytes(bytes(500))
    (tmp_path / "model.onnx.data").write_bytes(bytes(70))  # of something else
    assert onnx_size(path) == alone + 500
    assert describe(path).size == alone + 500


def test_each_file_counts_once(tmp_path):
    path = tmp_path / "model.onnx"
    (tmp_path / "sub").mkdir()
    places = {"a": "one", "b": "./one", "c": "sub/two"}
    for place in ("one", "sub/two"):
        (tmp_path / place).write_bytes(bytes(300))
    tensors = [outside(name, place, 100) for name, place in places.items()]
    onnx.save(helper.make_model(graph((), tensors)), path)
    assert onnx_size(path) == path.stat().st_size + 600


def test_weights_inside_count_once(tmp_path):
    path = tmp_path / "model.onnx"
    weights = numpy_helper.from_array(np.zeros(1000, "uint8"), "w")
    onnx.save(helper.make_model(graph((), [weights])), path)
    assert onnx_size(path) == path.stat().st_size


@pytest.mark.parametrize("content", [b"no proto", b""], ids=["other", "empty"])
def test_file_that_is_no_onnx_has_its_own_size(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    assert onnx_size(tmp_path / "file") == len(content)


def test_report_and_command_line_say_the_size_of_both_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weight_size, "LARGEST_INSIDE", 0)
    monkeypatch.setattr(external, "SMALLEST_OUTSIDE", 100)
    report = export_onnx(classifier(), tmp_path / "model.onnx")
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    size = sum(file.stat().st_size for file in files)
    assert report.size == report.as_dict()["size"] == size
    assert main(["inspect", str(report.path)]) == 0
    assert f"ONNX file, {size:,} bytes" in capsys.readouterr().out
