"""ONNX files: what is in them, and equal numbers in ONNX Runtime."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers, ops

from keras_bin.export import OperatorError, VerificationError, export_onnx
from keras_bin.export.onnx_files.writer import DEFAULT_OPSET, OPSETS
from testing.weights import randomize
from tests.export.folders import contents
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, bin_model, classifier
from tests.export.serving import ONNX, OUTPUT_NAMES, assert_served, serve_in_process
from tests.export.values import arrays, predict

# One kind for each thing that tracing, freezing or tf2onnx could get wrong.
KINDS_SERVED = (
    "functional",
    "sequential",
    "shared_model",
    "lists",
    "dicts",
    "channels_first",
    "rank_3",
    "rank_5",
    "free_sizes",
    "masked",
    "mask_as_argument",
    "without_bin",
    "adapted_normalization",
    "lambda_with_closure",
    "operations",
    "attention",
    "recurrent",
    "time_distributed",
    "dropout",
    "convolutions",
)


def exported(model, path, **arguments):
    return onnx.load(export_onnx(model, path, **arguments).path)


def sizes(values):
    """Shapes by name; free sizes are strings."""
    return {
        value.name: tuple(
            d.dim_param if d.HasField("dim_param") else d.dim_value
            for d in value.type.tensor_type.shape.dim
        )
        for value in values
    }


def operators(proto):
    assert not proto.functions
    return {node.op_type for node in proto.graph.node}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    def export(model, folder):
        return export_onnx(model, folder / "model.onnx")

    folder = tmp_path_factory.mktemp("served")
    return serve_in_process(ONNX, KINDS_SERVED, export, folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_SERVED)
def test_onnx_runtime_alone_computes_the_same(kind, served):
    assert_served(served[kind], OUTPUT_NAMES.get(kind))


def test_report_says_what_was_written(tmp_path):
    report = export_onnx(classifier(), tmp_path / "models" / "digits.onnx")
    assert report.path == tmp_path / "models" / "digits.onnx"
    assert report.layers_folded == 2
    assert not report.cast_to_float32
    assert (report.atol, report.rtol) == (1e-4, 1e-4)
    assert 0 <= report.max_abs_difference < 1e-5
    assert report.seconds > 0
    assert contents(tmp_path) == ["models", "models/digits.onnx"]


@pytest.mark.parametrize("opset", OPSETS)
def test_opset_and_checker(opset, tmp_path):
    proto = exported(bin_model(), tmp_path / "model.onnx", opset=opset)
    assert {used.domain: used.version for used in proto.opset_import}[""] == opset
    onnx.checker.check_model(proto, full_check=True)
    assert {node.domain for node in proto.graph.node} == {""}


def test_default_opset_and_range(tmp_path):
    assert exported(bin_model(), tmp_path / "model.onnx").opset_import[0].version == DEFAULT_OPSET
    assert (OPSETS[0], OPSETS[-1], DEFAULT_OPSET) == (13, 18, 17)


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        ("functional", {"image": ("batch", *IMAGE)}, {"head": ("batch", 2)}),
        (
            "lists",
            {"right": ("batch", *IMAGE), "left": ("batch", *IMAGE)},
            {"z": ("batch", *IMAGE), "a": ("batch", 6, 4, 3), "z_1": ("batch", *IMAGE)},
        ),
        (
            "dicts",
            {"left": ("batch", *IMAGE), "right": ("batch", *IMAGE)},
            {"image": ("batch", 6, 4, 3), "mask": ("batch", *IMAGE)},
        ),
    ],
)
def test_names_order_and_sizes(kind, inputs, outputs, tmp_path):
    graph = exported(KINDS[kind](), tmp_path / "model.onnx").graph
    assert list(sizes(graph.input).items()) == list(inputs.items())
    assert list(sizes(graph.output).items()) == list(outputs.items())


def test_free_sizes_are_named_after_their_axis(tmp_path):
    model = KINDS["free_sizes"]()
    graph = exported(model, tmp_path / "model.onnx").graph
    ((name, shape),) = sizes(graph.input).items()
    assert name == model.inputs[0].name
    assert shape == ("batch", f"{name}_1", f"{name}_2", 3)


def test_fixed_batch_size_becomes_free(tmp_path):
    graph = exported(KINDS["fixed_batch"](), tmp_path / "model.onnx").graph
    assert [shape[0] for shape in sizes([*graph.input, *graph.output]).values()] == ["batch"] * 2


def test_rho_one_needs_no_reduction(tmp_path):
    assert operators(exported(bin_model(1.0), tmp_path / "one.onnx")) == {"Mul", "Add"}
    assert operators(exported(bin_model(0.9), tmp_path / "rest.onnx")) & {
        "ReduceMean",
        "InstanceNormalization",
    }


def test_file_holds_no_batch_statistics(tmp_path):
    """What is folded is gone: there is no square root of a variance, and no rho."""
    model = bin_model(1.0)
    model.get_layer("bin").moving_variance.assign([111.0, 222.0, 333.0])
    proto = exported(model, tmp_path / "model.onnx")
    constants = [onnx.numpy_helper.to_array(value).ravel() for value in proto.graph.initializer]
    assert all(np.all(np.abs(values) < 100) for values in constants)


def test_statistics_of_an_adapted_layer_are_constants_and_no_inputs(tmp_path):
    report = export_onnx(KINDS["adapted_normalization"](), tmp_path / "model.onnx")
    assert len(onnx.load(report.path).graph.input) == 1
    assert report.max_abs_difference < 1e-5


@pytest.mark.parametrize("activation", ["gelu", "silu", "mish", "softplus", "hard_swish"])
def test_activations_are_converted(activation, tmp_path):
    inputs = keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, layers.Activation(activation)(BIN()(inputs))))
    assert export_onnx(model, tmp_path / "model.onnx").max_abs_difference < 1e-5


def test_layer_that_tf2onnx_converts_wrongly_is_refused_in_words(tmp_path):
    """tf2onnx 1.17 gives the two halves of GLU the shape of the whole."""
    inputs = keras.Input((8, 6, 4))
    model = keras.Model(inputs, layers.Activation("glu")(BIN()(inputs)))
    with pytest.raises(VerificationError, match=r"(?s)ONNX checker.*Inferred shape"):
        export_onnx(model, tmp_path / "model.onnx")
    assert contents(tmp_path) == []


def test_outputs_of_any_order_keep_their_values(tmp_path):
    """Names that are not in alphabetical order, on outputs of one shape."""
    inputs = keras.Input(IMAGE)
    x = BIN(name="z")(inputs)
    outputs = [x, layers.ReLU(name="m")(x), layers.Activation("tanh", name="a")(x)]
    model = randomize(keras.Model(inputs, outputs))
    assert export_onnx(model, tmp_path / "model.onnx").max_abs_difference < 1e-5


def test_half_precision_is_exported_in_float32_and_says_so(tmp_path):
    model = HALF_KINDS["mixed_float16"]()
    with pytest.warns(UserWarning, match=f"'{model.name}' computes in half precision"):
        report = export_onnx(model, tmp_path / "model.onnx")
    assert report.cast_to_float32
    graph = onnx.load(report.path).graph
    half = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    assert not half & {value.data_type for value in graph.initializer}
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_operator_outside_the_default_domain_is_refused_by_name(tmp_path):
    bins = layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    inputs = keras.Input((6,))
    model = keras.Model(inputs, BIN()(layers.Embedding(4, 3)(bins(inputs))))
    with pytest.raises(OperatorError, match=r"(?s)default domain.*TensorFlow\.Bucketize"):
        export_onnx(model, tmp_path / "new" / "model.onnx")
    assert contents(tmp_path) == []


def test_source_still_runs_after_export(tmp_path):
    model = classifier()
    values = arrays(randomize(model), 3)
    before = predict(model, values)
    export_onnx(model, tmp_path / "model.onnx")
    np.testing.assert_array_equal(predict(model, values)[0], before[0])


def test_scalar_output_is_exported(tmp_path):
    inputs = keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, ops.mean(BIN()(inputs))))
    graph = exported(model, tmp_path / "model.onnx").graph
    assert list(sizes(graph.output).values()) == [()]


def test_captured_table_is_refused_in_words(tmp_path):
    """A lookup table lives outside the graph, and tf2onnx cannot freeze it."""
    lookup = layers.IntegerLookup(vocabulary=[1, 0, 5])
    inputs = keras.Input((6,), dtype="int64")
    model = keras.Model(inputs, BIN()(layers.Embedding(10, 3)(lookup(inputs))))
    with pytest.raises(ValueError, match=r"SavedModel"):
        export_onnx(model, tmp_path / "new" / "model.onnx")
    assert contents(tmp_path) == []


def test_float64_is_exported_or_refused_in_words(tmp_path):
    """ONNX Runtime has no float64 convolution on CPUs."""
    keras.config.set_dtype_policy("float64")
    inputs = keras.Input(IMAGE, dtype="float64")
    model = keras.Model(inputs, BIN()(layers.Conv2D(3, 3)(inputs)))
    with pytest.raises(ValueError, match="float64"):
        export_onnx(model, tmp_path / "model.onnx")
    assert contents(tmp_path) == []
