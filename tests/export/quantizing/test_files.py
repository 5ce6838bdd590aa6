"""Inputs and files that are quantized, replaced or refused."""

import errno
import os

import numpy as np
import onnx
import pytest

from keras_bin.export import export_onnx, quantize_onnx
from keras_bin.export.quantizing.tools import TOOLS
from tests.export.kinds import bin_model
from tests.export.quantizing.nets import MIXED, exported, limit, pictures, quantized


def two_inputs(batches):
    """Returns a model of two inputs, of these batch sizes, with a convolution each."""
    graph = onnx.parser.parse_graph(
        """g (float[n, 16, 8, 8] left, uint8[m, 16, 8, 8] right)
        => (float[n, 16, 6, 6] y, float[m, 16, 6, 6] z) {
            y = Conv(left, w)
            f = Cast <to = 1> (right)
            z = Conv(f, w)
        }"""
    )
    values = np.random.default_rng(0).normal(size=(16, 16, 3, 3)).astype("float32")
    graph.initializer.append(onnx.numpy_helper.from_array(values, "w"))
    for value, size in zip(graph.input, batches, strict=True):
        if size:
            value.type.tensor_type.shape.dim[0].dim_value = size
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


@pytest.mark.parametrize("batches", [(None, None), (12, 12), (12, None)])
def test_several_inputs_by_name_and_a_fixed_batch(batches, runtime, tmp_path):
    onnx.save(two_inputs(batches), tmp_path / "float.onnx")
    rng = np.random.default_rng(1)
    data = {
        "left": rng.normal(size=(40, 16, 8, 8)),
        "right": rng.integers(0, 256, (40, 16, 8, 8)) / np.float32(1),
    }
    given = {"runtime": runtime, "overwrite": True, "verbose": False}
    files = (tmp_path / "float.onnx", tmp_path / "int8.onnx")
    assert max(quantize_onnx(*files, data, **given).errors.values()) < 0.03
    for wrong in (data["right"] + 100, data["right"] / 256):
        with pytest.raises(ValueError, match="values change when they are cast to uint8"):
            quantize_onnx(*files, {**data, "right": wrong}, **given)
    with pytest.raises(ValueError, match="must map the name of every input to an array if"):
        quantize_onnx(*files, data["left"], **given)
    if any(batches):
        with pytest.raises(ValueError, match="must have the same length, at least 12"):
            quantize_onnx(*files, {name: array[:11] for name, array in data.items()}, **given)


def test_inputs_that_no_batch_can_be_made_of_are_refused(tmp_path, mixed):
    onnx.save(two_inputs((12, 6)), tmp_path / "float.onnx")
    with pytest.raises(ValueError, match=r"batch axis, all of one size.*\(12, 16, 8, 8\)"):
        quantized(tmp_path / "float.onnx", tmp_path / "int8.onnx")

    def text(proto):
        proto.graph.input.append(onnx.helper.make_tensor_value_info("word", 8, ["n"]))

    with pytest.raises(ValueError, match=r"must be numbers.*'word'.*'string'"):
        quantized(changed(mixed, tmp_path / "text.onnx", text), tmp_path / "int8.onnx")


def test_a_fixed_batch(runtime, tmp_path, mixed):
    fixed = onnx.load(mixed)
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 16
    fixed.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 16
    onnx.save(fixed, tmp_path / "fixed.onnx")
    report = quantize_onnx(
        tmp_path / "fixed.onnx",
        tmp_path / "int8.onnx",
        {"image": pictures(50)},
        runtime=runtime,
        verbose=False,
    )
    assert report.errors["logits"] < limit(report, 0.03)


def test_existing_file_is_kept_or_replaced(tmp_path, mixed):
    path = exported(tmp_path, MIXED)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="must not exist"):
        quantized(mixed, path)
    with pytest.raises(IsADirectoryError, match="must name a file"):
        quantized(mixed, tmp_path)
    assert path.read_bytes() == before
    assert quantized(mixed, path, overwrite=True).size == path.stat().st_size


def test_file_in_float_is_not_replaced_by_itself(tmp_path):
    path = exported(tmp_path, MIXED)
    before = path.read_bytes()
    (tmp_path / "link.onnx").symlink_to(path)
    for out in (path, tmp_path / "link.onnx"):
        with pytest.raises(ValueError, match=r"must not be `artifact`.*another path.*for both"):
            quantized(path, out, overwrite=True)
    assert path.read_bytes() == before


def test_replaced_file_leaves_no_weights_and_warns_of_clients(tmp_path, mixed):
    path = tmp_path / "int8.onnx"
    old = onnx.load(exported(tmp_path, MIXED))
    old.graph.output[0].name = old.graph.node[-1].output[0] = "scores"
    weights = f"{path.name}.0123abcd.data"
    onnx.save(old, path, save_as_external_data=True, location=weights, size_threshold=0)
    with pytest.warns(UserWarning, match="have to change.*export the file in float.*'scores'"):
        quantized(mixed, path, overwrite=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["float.onnx", "int8.onnx"]


WRONG = {
    "runtime": ({"runtime": "litert"}, r"`runtime` must be one of \['onnxruntime', 'openvino'\]"),
    "error": ({"max_error": 0}, "`max_error` must be a finite number above 0"),
    "no array": ({"data": {"picture": 1}}, r"`data` must map.*\['picture'\].*\['image'\]"),
    "other shape": ({"data": np.ones((4, 8, 8))}, r"`data` must have.*16, 16, 3.*\(4, 8, 8\)"),
    "other size": ({"data": np.ones((4, 8, 8, 3))}, r"`data` must have.*\(4, 8, 8, 3\)"),
    "complex numbers": ({"data": {"image": 1 + 1j * pictures()}}, "values change"),
    "infinity": ({"data": np.full((4, 16, 16, 3), [np.inf, 0, 0])}, "infinity in row 0"),
    "infinite error": ({"max_error": np.inf}, "must be a finite number above 0"),
    "list of runtimes": ({"runtime": ["openvino"]}, "`runtime` must be one of"),
    "no row": ({"data": np.ones((0, 16, 16, 3))}, "at least 1"),
    "no numbers": ({"data": np.array(["a"])}, "`data` must hold values"),
    "address": ({"path": "gs://bucket/net.onnx"}, "gs://bucket"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_wrong_argument_is_refused(change, words, tmp_path, mixed):
    given = {"path": tmp_path / "int8.onnx", "data": pictures(), **change}
    with pytest.raises(ValueError, match=words):
        quantize_onnx(mixed, verbose=False, **given)
    assert not list(tmp_path.iterdir())


def changed(artifact, path, change):
    proto = onnx.load(artifact)
    change(proto)
    onnx.save(proto, path)
    return path


def test_file_that_cannot_be_quantized_is_refused(tmp_path, mixed):
    out = tmp_path / "int8.onnx"
    with pytest.raises(FileNotFoundError, match="must be an ONNX file"):
        quantized(tmp_path / "none.onnx", out)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match=r"damaged or truncated"):
        quantized(tmp_path / "text.onnx", out)

    def older(proto):
        proto.opset_import[0].version = 12

    with pytest.raises(ValueError, match=r"operator set 13 or above.*with 12"):
        quantized(changed(mixed, tmp_path / "older.onnx", older), out)
    with pytest.raises(ValueError, match=r"must be in float.*which is quantized"):
        quantized(quantized(mixed, tmp_path / "once.onnx").path, out)

    large = onnx.load(mixed)
    onnx.save(large, tmp_path / "apart.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(ValueError, match="weights are in another file"):
        quantized(tmp_path / "apart.onnx", out)
    layer = export_onnx(bin_model(), tmp_path / "layer.onnx", verbose=False).path
    with pytest.raises(ValueError, match="nothing else to quantize"):
        quantize_onnx(layer, out, np.ones((4, *bin_model().input_shape[1:])), verbose=False)
    assert not os.path.lexists(out)


def out_of_space(*_given):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def out_of_order(*_given):
    raise RuntimeError("out of order")


@pytest.mark.parametrize("step", ["quantize", "load"])
@pytest.mark.parametrize(
    ("failure", "raised", "words"),
    [
        (out_of_space, OSError, "No space left"),
        (out_of_order, ValueError, r"must be able to .*keep it in float.*Error: out of order$"),
    ],
)
def test_failure_midway_leaves_nothing(failure, raised, words, step, tmp_path, mixed, monkeypatch):
    broken = TOOLS["onnxruntime"]._replace(**{step: failure})
    monkeypatch.setitem(TOOLS, "onnxruntime", broken)
    with pytest.raises(raised, match=words):
        quantized(mixed, tmp_path / "int8.onnx")
    assert not list(tmp_path.iterdir())
