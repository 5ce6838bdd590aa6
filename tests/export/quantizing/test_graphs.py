"""ONNX files of other programs in int8, one small graph each."""

import numpy as np
import onnx
import pytest

from keras_bin.export import quantize_onnx
from tests.export.quantizing.nets import limit

CONV = "a = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu(a) c = Conv <pads = [1, 1, 1, 1]> (r, w)"
IN = "y = InstanceNormalization(c, one, zero)"
WEIGHTS = {"w": (16, 16, 3, 3)}
# The text of each graph, the shape of a sample, and the shapes of its weights. All take x and
# return what they make last; channels differ by up to 30 times.
GRAPHS = {
    "rank 3": ("c = Conv <pads = [4, 4]> (x, w)" + IN, (16, 9), {"w": (16, 16, 9)}),
    "rank 5": ("c = Conv(x, w)" + IN, (16, 5, 5, 5), {"w": (16, 16, 3, 3, 3)}),
    "grouped": (
        "c = Conv <group = 4> (x, w)" + IN,
        (64, 8, 8),
        {"w": (16, 16, 3, 3)},
    ),
    "bias": ("c = Conv(x, w, b)" + IN, (16, 8, 8), {**WEIGHTS, "b": (16,)}),
    "before a dense layer": (
        f"{CONV} {IN} p = GlobalAveragePool(y) f = Flatten(p) z = Gemm(f, v, b)",
        (16, 8, 8),
        {**WEIGHTS, "v": (16, 8), "b": (8,)},
    ),
    "factors": (
        "h = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) r = Relu(h) y = MatMul(r, v)",
        (200,),
        {"w": (200, 16), "b": (16,), "v": (16, 8)},
    ),
    "biases of other shapes": (
        "h = Gemm(x, w, b) r = Relu(h) s = Gemm(r, w, d) y = MatMul(s, v)",
        (16,),
        {"w": (16, 16), "b": (1, 16), "d": (), "v": (16, 8)},
    ),
    "transposed": (
        "c = Gemm <transB = 1> (x, w, b) q = Mul(c, c) m = ReduceMean <axes = [1]> (q) "
        "s = Sqrt(m) y = Div(c, s)",
        (200,),
        {"w": (16, 200), "b": (16,)},
    ),
    "group normalization": (
        f"{CONV} m = ReduceMean <axes = [2, 3]> (c) d = Sub(c, m) q = Mul(d, d) "
        "v = ReduceMean <axes = [2, 3]> (q) s = Sqrt(v) n = Div(d, s) y = Mul(n, g)",
        (16, 8, 8),
        {**WEIGHTS, "g": (16, 1, 1)},
    ),
    "mean by pooling": (
        f"{CONV} m = GlobalAveragePool(c) d = Sub(c, m) q = Mul(d, d) "
        "v = GlobalAveragePool(q) s = Sqrt(v) y = Div(d, s)",
        (16, 8, 8),
        WEIGHTS,
    ),
    "variance in one pass": (
        f"{CONV} m = ReduceMean <axes = [2, 3]> (c) p = Mul(c, c) "
        "o = ReduceMean <axes = [2, 3]> (p) u = Mul(m, m) v = Sub(o, u) s = Sqrt(v) "
        "d = Sub(c, m) y = Div(d, s)",
        (16, 8, 8),
        WEIGHTS,
    ),
    "root mean square": (
        f"{CONV} q = Mul(c, c) v = ReduceMean <axes = [2, 3]> (q) s = Sqrt(v) y = Div(c, s)",
        (16, 8, 8),
        WEIGHTS,
    ),
    "norm": (
        f"{CONV} s = ReduceL2 <axes = [2, 3]> (c) f = Clip(s, tiny) h = Shape(c) e = Expand(f, h) "
        "y = Div(c, e)",
        (16, 8, 8),
        {**WEIGHTS, "tiny": ()},
    ),
    "layer normalization": (
        f"{CONV} y = LayerNormalization <axis = 2> (c, plane)",
        (16, 8, 8),
        {**WEIGHTS, "plane": (8, 8)},
    ),
    "mean variance": (
        f"{CONV} y = MeanVarianceNormalization <axes = [2, 3]> (c)",
        (16, 8, 8),
        WEIGHTS,
    ),
}
# Linear operators that ONNX Runtime's quantizer gets wrong.
IN_FLOAT = {"factors": 1, "biases of other shapes": 2}


def model_of(text, shape, weights):
    graph = onnx.parser.parse_graph(f"g (float[n] x) => (float y) {{ {text} }}")
    rng = np.random.default_rng(0)
    constants = {"one": np.ones(16), "zero": np.zeros(16)}
    for name, sizes in weights.items():
        values = rng.normal(size=sizes) if name in "wv" else np.full(sizes, 0.1)
        if name == "w":  # 16 channels along one of the axes
            axis = len(sizes) - 1 if "transB" not in text and len(sizes) == 2 else 0
            spread = np.moveaxis(values, axis, -1)
            spread *= 10.0 ** np.linspace(-0.75, 0.75, sizes[axis])
        constants[name] = values / np.sqrt(max(1, np.prod(sizes[1:])))
    taken = {name for node in graph.node for name in node.input}
    for name, values in constants.items():
        if name in taken:
            values = np.asarray(values, "float32")
            graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    del graph.input[:], graph.output[:]
    kind = onnx.TensorProto.FLOAT
    graph.input.append(onnx.helper.make_tensor_value_info("x", kind, ["n", *shape]))
    last = graph.node[-1].output[0]
    graph.output.append(onnx.helper.make_tensor_value_info(last, kind, None))
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def data_of(shape, rows=48):
    return np.random.default_rng(1).normal(0.3, 1, size=(rows, *shape)).astype("float32")


@pytest.mark.parametrize("kind", GRAPHS)
def test_digits_are_kept(kind, runtime, tmp_path):
    text, shape, weights = GRAPHS[kind]
    onnx.save(model_of(text, shape, weights), tmp_path / "float.onnx")
    report = quantize_onnx(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        data_of(shape),
        runtime=runtime,
        verbose=False,
    )
    assert max(report.errors.values()) < limit(report, 0.03)
    in_float = IN_FLOAT.get(kind, 0) if runtime == "onnxruntime" else 0
    assert report.quantized == report.linear - in_float


def conv_and_normalization():
    return model_of(f"{CONV} {IN}", (16, 8, 8), WEIGHTS)


def as_input(model):
    weights = [each for each in model.graph.initializer if each.name == "w"]
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", 1, weights[0].dims))


def as_output(model):
    model.graph.output.append(onnx.helper.make_tensor_value_info("w", 1, [16, 16, 3, 3]))


def as_nodes(model):
    for tensor in list(model.graph.initializer):
        node = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        model.graph.node.insert(0, node)
    del model.graph.initializer[:]


def in_a_branch(model):
    branch = onnx.parser.parse_graph("b () => (float[16, 16, 3, 3] t) { t = Identity(w) }")
    node = onnx.helper.make_node("If", ["yes"], ["t2"], then_branch=branch, else_branch=branch)
    branch.output[0].name = "t"
    model.graph.node.append(node)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "yes"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("t2", 1, [16, 16, 3, 3]))


def two_outputs(model):
    model.graph.node.append(onnx.helper.make_node("Identity", ["y"], ["z"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", 1, None))


def expressions(model):
    for node in model.graph.node:
        node.name = "{re}(" + node.output[0]


@pytest.mark.parametrize(
    "change", [as_input, as_nodes, two_outputs, expressions], ids=lambda change: change.__name__
)
def test_odd_files_are_quantized(change, runtime, tmp_path):
    model = conv_and_normalization()
    change(model)
    onnx.save(model, tmp_path / "float.onnx")
    x = data_of((16, 8, 8))
    report = quantize_onnx(
        tmp_path / "float.onnx", tmp_path / "int8.onnx", x, runtime=runtime, verbose=False
    )
    assert max(report.errors.values()) < limit(report, 0.03)
    assert (report.quantized, report.linear) == (2, 2)


@pytest.mark.parametrize("change", [as_output, in_a_branch], ids=lambda change: change.__name__)
def test_weights_that_others_take_too(change, tmp_path):
    """As nncf puts its own in their places, only ONNX Runtime's quantizer takes such files."""
    model = conv_and_normalization()
    change(model)
    onnx.save(model, tmp_path / "float.onnx")
    given = (tmp_path / "float.onnx", tmp_path / "int8.onnx", data_of((16, 8, 8)))
    report = quantize_onnx(*given, verbose=False)
    assert max(report.errors.values()) < limit(report, 0.03)
    pytest.importorskip("nncf", reason="needs the extra `int8`")
    with pytest.raises(ValueError, match=r"^nncf must be able to quantize.*ValidationError"):
        quantize_onnx(*given, runtime="openvino", overwrite=True, verbose=False)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_weights_in_other_floats_are_refused(dtype, runtime, tmp_path):
    model = conv_and_normalization()
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "float.onnx")
    with pytest.raises(ValueError, match="weights in float32"):
        quantize_onnx(
            tmp_path / "float.onnx",
            tmp_path / "int8.onnx",
            data_of((16, 8, 8)),
            runtime=runtime,
            verbose=False,
        )
    assert not (tmp_path / "int8.onnx").exists()


def test_file_of_which_all_would_be_wrong_is_refused(tmp_path):
    pytest.importorskip("nncf", reason="needs the extra `int8`")
    text = "c = Conv <pads = [1, 1, 1, 1]> (x, w) m = ReduceMean <axes = [2, 3]> (c) y = Sub(c, m)"
    onnx.save(model_of(text, (16, 8, 8), WEIGHTS), tmp_path / "float.onnx")
    given = (tmp_path / "float.onnx", tmp_path / "int8.onnx", data_of((16, 8, 8)))
    with pytest.raises(ValueError, match=r"that openvino computes correctly in int8"):
        quantize_onnx(*given, runtime="openvino", max_error=9, verbose=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["float.onnx"]


def test_file_of_which_nothing_pays_in_onnx_runtime_is_refused(tmp_path):
    text = f"c = ConvTranspose(x, w) {IN}"
    onnx.save(model_of(text, (16, 8, 8), WEIGHTS), tmp_path / "float.onnx")
    given = (tmp_path / "float.onnx", tmp_path / "int8.onnx", data_of((16, 8, 8)))
    with pytest.raises(ValueError, match=r'worth running in int8.*runtime="openvino".*none worth'):
        quantize_onnx(*given, verbose=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["float.onnx"]


def test_deep_net_stays_in_int8(runtime, tmp_path):
    """Its errors are those of rounding, and not the runtime's."""
    layers = [
        f"c{n} = Conv <pads = [1, 1, 1, 1]> (y{n}, w) "
        f"y{n + 1} = InstanceNormalization(c{n}, one, zero)"
        for n in range(12)
    ]
    text = f"y0 = Relu(x) {' '.join(layers)} p = GlobalMaxPool(y12) f = Flatten(p) z = MatMul(f, v)"
    weights = {**WEIGHTS, "v": (16, 8)}
    onnx.save(model_of(text, (16, 8, 8), weights), tmp_path / "float.onnx")
    given = (tmp_path / "float.onnx", tmp_path / "int8.onnx", data_of((16, 8, 8)))
    report = quantize_onnx(*given, runtime=runtime, verbose=False)
    assert report.errors["z"] > 0.01
    assert (report.quantized, report.linear) == (13, 13)


@pytest.mark.parametrize("kind", ["grouped", "bias", "transposed"])
def test_all_weights_have_7_bits(kind, runtime, tmp_path):
    """Also those of grouped convolutions, which nncf's own fix leaves at 8."""
    text, shape, weights = GRAPHS[kind]
    onnx.save(model_of(text, shape, weights), tmp_path / "float.onnx")
    given = {"runtime": runtime, "reduce_range": True, "verbose": False}
    report = quantize_onnx(tmp_path / "float.onnx", tmp_path / "int8.onnx", data_of(shape), **given)
    (values,) = (
        onnx.numpy_helper.to_array(tensor).astype(int)
        for tensor in onnx.load(report.path).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    )
    assert np.abs(values).max() in (63, 64)
    assert max(report.errors.values()) < 0.03
