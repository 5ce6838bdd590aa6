"""Int8 files: how near they are to float, what they say, and what is refused."""

import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, quantize_static

from keras_bin.export import ValuesError, export_onnx, quantize_onnx, verify
from keras_bin.export.describe import describe
from tests.export.kinds import bin_model
from tests.export.quantizing.nets import exported, net, pictures

MIXED = ("mixed",) * 3


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("mixed"), MIXED)


def quantized(artifact, path, **options):
    return quantize_onnx(artifact, path, pictures(), verbose=False, **options)


def logits(path):
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"image": pictures()})[0]


def error_of(path, artifact):
    expected = logits(artifact)
    return np.linalg.norm(logits(path) - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("decades", [0.0, 2.0, 4.0])
def test_channels_of_any_size_keep_their_digits(decades, runtime, tmp_path):
    artifact = exported(tmp_path, MIXED, decades)
    report = quantized(artifact, tmp_path / "int8.onnx", runtime=runtime)
    assert report.errors["logits"] < 0.02
    if runtime == "onnxruntime":
        assert error_of(report.path, artifact) == pytest.approx(report.errors["logits"], rel=1e-3)


def test_larger_domain_is_not_cut_off(runtime, tmp_path):
    """As by nncf's own defaults, which take the mean of the ranges of batches."""
    data = pictures(256)
    data[-32:] *= 10
    artifact = exported(tmp_path, ("batch",) * 3)
    report = quantize_onnx(artifact, tmp_path / "int8.onnx", data, runtime=runtime, verbose=False)
    assert report.errors["logits"] < 0.03


def test_activations_are_unsigned(tmp_path, mixed):
    graph = onnx.load(quantized(mixed, tmp_path / "int8.onnx").path).graph
    points = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
    kinds = {each.data_type for each in graph.initializer if each.name in points}
    assert kinds == {onnx.TensorProto.UINT8}


def test_onnx_runtimes_defaults_do_not(tmp_path):
    """What the recipe is for: with its own defaults, ONNX Runtime quantizes normalizations."""

    class Reader(CalibrationDataReader):
        rest = iter([{"image": pictures()}])

        def get_next(self):
            return next(self.rest, None)

    artifact = exported(tmp_path, MIXED, 2.0)
    quantize_static(artifact, tmp_path / "default.onnx", Reader())
    assert error_of(tmp_path / "default.onnx", artifact) > 0.15


@pytest.mark.parametrize("norms", [("batch",) * 3, ("mixed", "batch", "batch"), ("group",) * 3])
def test_other_nets_keep_their_digits(norms, runtime, tmp_path):
    artifact = exported(tmp_path, norms, 1.0)
    report = quantized(artifact, tmp_path / "int8.onnx", runtime=runtime)
    assert report.errors["logits"] < 0.03
    assert report.linear == 4


@pytest.mark.parametrize(
    ("norms", "quantized_layers"),
    [(MIXED, 3), (("batch",) * 3, 4), (("mixed", "batch", "batch"), 3)],
)
def test_report_counts_linear_operators(norms, quantized_layers, tmp_path):
    report = quantized(exported(tmp_path, norms), tmp_path / "int8.onnx")
    assert (report.quantized, report.linear) == (quantized_layers, 4)
    assert f"{quantized_layers} of 4 linear operators" in str(report)
    assert report.as_dict()["path"] == str(tmp_path / "int8.onnx")


def test_openvino_takes_all(tmp_path, mixed):
    pytest.importorskip("nncf", reason="needs the extra `int8`")
    report = quantized(mixed, tmp_path / "int8.onnx", runtime="openvino")
    assert (report.quantized, report.linear) == (4, 4)


def test_what_openvino_misreads_stays_in_float(tmp_path):
    """Channels gathered, as for ONNX Runtime, after a convolution of inputs on both sides of 0."""
    pytest.importorskip("nncf", reason="needs the extra `int8`")
    artifact = exported(tmp_path, ("parted",) * 3, 0.0, runtime="onnxruntime")
    data = np.random.default_rng(0).normal(0.3, 1, (64, 16, 16, 3)).astype("float32")
    given = {"runtime": "openvino", "verbose": False}
    report = quantize_onnx(artifact, tmp_path / "int8.onnx", data, **given)
    assert report.errors["logits"] < 0.02
    assert (report.quantized, report.linear) == (1, 4)


GATES = ("mixed", "instance", "parted")
FORMS = [
    *(
        (norm, form, "instance_normalization")
        for norm in GATES
        for form in ("any", "onnxruntime", "openvino")
    ),
    *((norm, "any", "reduce_mean") for norm in GATES),
]


@pytest.fixture(scope="module", params=FORMS, ids="-".join)
def form(request, tmp_path_factory):
    norm, runtime, lowering = request.param
    folder = tmp_path_factory.mktemp("form")
    return exported(folder, (norm, "batch", norm), runtime=runtime, lowering=lowering)


def test_every_form_keeps_its_digits(form, runtime, tmp_path):
    report = quantized(form, tmp_path / "int8.onnx", runtime=runtime)
    assert report.errors["logits"] < 0.03


def test_statistics_and_all_around_them_stay_in_float(runtime, tmp_path, mixed):
    report = quantized(mixed, tmp_path / "int8.onnx", runtime=runtime)
    graph = onnx.load(report.path).graph
    makers = {name: node for node in graph.node for name in node.output}
    takers = [node for node in graph.node if "/keras_bin/" in node.name]
    assert len([node for node in takers if node.op_type == "InstanceNormalization"]) == 3
    for node in takers:
        for name in node.input:
            if makers.get(name) is not None and node.op_type == "InstanceNormalization":
                assert makers[name].op_type == "Sub"
    # Nothing that is made in a layer is rounded before it leaves the layer.
    inside = {name for node in takers for name in node.output}
    rounded = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    last = {node.output[0] for node in takers if node.op_type == "Add"}
    assert not rounded & (inside - last)


def test_file_keeps_names_and_metadata_and_says_what_it_is(runtime, tmp_path, mixed):
    report = quantized(mixed, tmp_path / "int8.onnx", runtime=runtime)
    before, after = describe(mixed), describe(report.path)
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    tool = {"onnxruntime": "onnxruntime", "openvino": "nncf"}[runtime]
    assert after.metadata.pop("quantization").startswith(f"int8 by {tool} ")
    assert after.metadata.pop("runtime") == runtime
    before.metadata.pop("runtime")
    assert after.metadata == before.metadata
    assert after.producer == before.producer
    assert (report.size, report.float_size) == (after.size, before.size)
    assert report.size < before.size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8.onnx"]


def test_weights_of_7_bits(runtime, tmp_path, mixed):
    report = quantized(mixed, tmp_path / "int8.onnx", runtime=runtime, reduce_range=True)
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(report.path).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert weights
    assert max(np.abs(array.astype(int)).max() for array in weights) <= 64
    assert report.errors["logits"] < 0.06


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
    with pytest.raises(ValueError, match="must map the name of every input to an array where"):
        quantize_onnx(*files, data["left"], **given)
    if any(batches):
        with pytest.raises(ValueError, match="of one length, at least 12"):
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
    assert report.errors["logits"] < 0.03


def test_nodes_without_names_are_quantized(runtime, tmp_path, mixed):
    unnamed = onnx.load(mixed)
    for node in unnamed.graph.node:
        node.name = ""
    onnx.save(unnamed, tmp_path / "unnamed.onnx")
    report = quantized(tmp_path / "unnamed.onnx", tmp_path / "int8.onnx", runtime=runtime)
    assert report.errors["logits"] < 0.1


def test_verify_asks_for_tolerances(tmp_path, mixed):
    model = net(MIXED)
    report = quantized(mixed, tmp_path / "int8.onnx")
    with pytest.raises(ValueError, match=r"must be in float.*int8 by onnxruntime"):
        verify(report.path, model)
    samples = {"image": pictures()}
    assert verify(report.path, model, samples, atol=0.2 * np.abs(logits(mixed)).max()).passed
    with pytest.raises(ValuesError):
        verify(report.path, model, samples, atol=1e-4)


def test_too_large_an_error_writes_nothing(runtime, tmp_path, mixed):
    with pytest.raises(ValuesError, match=r"within 1e-05 .*max_error.*\n.*'logits': 0\.0"):
        quantized(mixed, tmp_path / "int8.onnx", runtime=runtime, max_error=1e-5)
    assert not list(tmp_path.iterdir())


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
        with pytest.raises(ValueError, match=r"another file than `artifact`.*for both"):
            quantized(path, out, overwrite=True)
    assert path.read_bytes() == before


def test_replaced_file_leaves_no_weights_and_warns_of_clients(tmp_path, mixed):
    path = tmp_path / "int8.onnx"
    old = onnx.load(exported(tmp_path, MIXED))
    old.graph.output[0].name = old.graph.node[-1].output[0] = "scores"
    weights = f"{path.name}.0123abcd.data"
    onnx.save(old, path, save_as_external_data=True, location=weights, size_threshold=0)
    with pytest.warns(UserWarning, match="'scores' .* have to change|have to change.*'scores'"):
        quantized(mixed, path, overwrite=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["float.onnx", "int8.onnx"]


@pytest.mark.parametrize("verbose", [None, False])
def test_stages_are_printed_unless_not_wanted(verbose, runtime, tmp_path, mixed, capfd):
    quantize_onnx(mixed, tmp_path / "int8.onnx", pictures(), runtime=runtime, verbose=verbose)
    lines = capfd.readouterr().out.splitlines()
    stages = [line.split()[0] for line in lines]
    assert stages == ([] if verbose is False else "load quantize verify publish Saved".split())


WRONG = {
    "runtime": ({"runtime": "litert"}, r"`runtime` must be one of \['onnxruntime', 'openvino'\]"),
    "error": ({"max_error": 0}, "`max_error` must be a finite number above 0"),
    "no array": ({"data": {"picture": 1}}, r"`data` must map.*\['picture'\].*\['image'\]"),
    "other shape": ({"data": np.ones((4, 8, 8))}, r"`data` must have.*16, 16, 3.*\(4, 8, 8\)"),
    "other size": ({"data": np.ones((4, 8, 8, 3))}, r"`data` must have.*\(4, 8, 8, 3\)"),
    "fractions of integers": ({"data": {"image": 1 + 1j * pictures()}}, "values change"),
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
