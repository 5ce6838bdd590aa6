"""Int8 files: how near they are to float, and what they say."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, quantize_static

from keras_bin.export import ValuesError, quantize_onnx, verify
from keras_bin.export.describe import describe
from tests.export.quantizing.nets import MIXED, exported, limit, net, pictures, quantized


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
    assert report.errors["logits"] < limit(report, 0.02)
    if runtime == "onnxruntime":
        assert error_of(report.path, artifact) == pytest.approx(report.errors["logits"], rel=1e-3)


def test_larger_domain_is_not_cut_off(runtime, tmp_path):
    """As by nncf's own defaults, which take the mean of the ranges of batches."""
    data = pictures(256)
    data[-32:] *= 10
    artifact = exported(tmp_path, ("batch",) * 3)
    report = quantize_onnx(artifact, tmp_path / "int8.onnx", data, runtime=runtime, verbose=False)
    assert report.errors["logits"] < limit(report, 0.03)


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
    assert report.errors["logits"] < limit(report, 0.03)
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
    assert report.errors["logits"] < limit(report, 0.02)
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
    assert report.errors["logits"] < limit(report, 0.03)


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
    assert report.weight_bits == 7
    assert "weights of 7 bits" in str(report)


def test_nodes_without_names_are_quantized(runtime, tmp_path, mixed):
    unnamed = onnx.load(mixed)
    for node in unnamed.graph.node:
        node.name = ""
    onnx.save(unnamed, tmp_path / "unnamed.onnx")
    report = quantized(tmp_path / "unnamed.onnx", tmp_path / "int8.onnx", runtime=runtime)
    assert report.errors["logits"] < limit(report, 0.03)
    assert report.linear == 4


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


@pytest.mark.parametrize("verbose", [None, False])
def test_stages_are_printed_unless_not_wanted(verbose, runtime, tmp_path, mixed, capfd):
    quantize_onnx(mixed, tmp_path / "int8.onnx", pictures(), runtime=runtime, verbose=verbose)
    lines = capfd.readouterr().out.splitlines()
    stages = [line.split()[0] for line in lines]
    assert stages == ([] if verbose is False else "load quantize verify publish Saved".split())
