"""Channels are made equally large, and the model computes what it did."""

import numpy as np
import onnx
import onnxruntime
import pytest

from keras_bin.export.quantizing.channels import equalize_channels

GRAPHS = {
    "Conv": (
        "agraph (float[n, 3, 8, 8] x) => (float[n, 4, 6, 6] y) { y = Conv(x, w, b) }",
        {"w": (4, 3, 3, 3), "b": (4,)},
    ),
    "Conv without a bias": (
        "agraph (float[n, 3, 8] x) => (float[n, 4, 6] y) { y = Conv(x, w) }",
        {"w": (4, 3, 3)},
    ),
    "Gemm": (
        "agraph (float[n, 3] x) => (float[n, 4] y) { y = Gemm(x, w, b) }",
        {"w": (3, 4), "b": (4,)},
    ),
    "transposed Gemm": (
        "agraph (float[n, 3] x) => (float[n, 4] y) { y = Gemm <transB = 1> (x, w, b) }",
        {"w": (4, 3), "b": (1,)},
    ),
    "MatMul": (
        "agraph (float[n, 5, 3] x) => (float[n, 5, 4] y) { y = MatMul(x, w) }",
        {"w": (3, 4)},
    ),
    "shared weights": (
        "agraph (float[n, 3, 8] x) => (float[n, 4, 6] y, float[n, 4, 6] z) "
        "{ y = Conv(x, w) t = Tanh(x) z = Conv(t, w) }",
        {"w": (4, 3, 3)},
    ),
}


def model_of(text, shapes):
    """Returns a model of a graph with weights whose channels, 4, differ by powers of ten."""
    graph = onnx.parser.parse_graph(text)
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        sizes = np.ones(shape)
        if 4 in shape:
            np.moveaxis(sizes, shape.index(4), -1)[...] = 10.0 ** np.arange(4)
        values = (rng.normal(size=shape) * sizes).astype("float32")
        graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    for node in graph.node:
        node.name = f"make {node.output[0]}"
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )


def outputs(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": x})


@pytest.mark.parametrize("kind", GRAPHS)
def test_channels_are_equally_large_and_results_as_before(kind):
    model = model_of(*GRAPHS[kind])
    shape = [dim.dim_value or 50 for dim in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    before = outputs(model, x)
    equalize_channels(model, {"make y"}, [{"x": x[:20]}, {"x": x[20:]}])
    onnx.checker.check_model(model, full_check=True)
    model.graph.output.append(onnx.ValueInfoProto(name="y/divided"))
    *after, divided = outputs(model, x)
    for one, other in zip(after, before, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    axis = 1 if "Conv" in kind or "weights" in kind else divided.ndim - 1
    others = tuple(n for n in range(divided.ndim) if n != axis)
    np.testing.assert_allclose(np.abs(divided).max(others), np.abs(before[0]).max(), rtol=1e-5)
    assert np.ptp(np.log10(np.abs(before[0]).max(others))) > 2


@pytest.mark.parametrize("factor", [0, 1e-30])
def test_channel_of_zeros_or_nearly_stays_finite(factor):
    model = model_of(*GRAPHS["Conv without a bias"])
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[2] *= np.float32(factor)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
    x = np.ones((2, 3, 8), "float32")
    (before,) = outputs(model, x)
    equalize_channels(model, {"make y"}, [{"x": x}])
    (after,) = outputs(model, x)
    assert np.abs(after[:, 2]).max() < 1e-20
    np.testing.assert_allclose(after, before, rtol=1e-5)
    for tensor in model.graph.initializer:
        assert np.abs(onnx.numpy_helper.to_array(tensor)).max() < 1e6


def test_nothing_chosen_changes_nothing():
    model = model_of(*GRAPHS["Gemm"])
    before = model.SerializeToString()
    equalize_channels(model, set(), [])
    assert model.SerializeToString() == before
