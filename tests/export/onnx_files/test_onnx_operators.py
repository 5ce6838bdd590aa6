"""ONNX files have the operators of a net with batch normalization, and no transposes inside."""

import collections
import contextlib
import json

import keras
import numpy as np
import onnx
import pytest
from keras import layers

import keras_bin
from benchmarks.nets import NETS
from keras_bin.export import export_onnx
from keras_bin.export.onnx_files.lowering import LOWERINGS
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE, KINDS, bin_model
from tests.export.values import layers_of
from tests.keras_versions import needs_keras


def operators(path):
    """Number of operators of each kind."""
    return collections.Counter(node.op_type for node in onnx.load(path).graph.node)


def first_channels_net(normalization):
    """A residual net, channels first, whose height and width are free."""

    def convolve(x, filters, **settings):
        settings |= {"padding": "same", "use_bias": False, "data_format": "channels_first"}
        return normalization(axis=1)(layers.Conv2D(filters, 3, **settings)(x))

    inputs = keras.Input((3, None, None), name="image")
    x = layers.ReLU()(convolve(inputs, 8))
    x = layers.ReLU()(layers.Add()([x, convolve(layers.ReLU()(convolve(x, 8)), 8)]))
    x = layers.DepthwiseConv2D(3, data_format="channels_first", use_bias=False)(x)
    x = layers.ReLU()(normalization(axis=1)(x))
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    return keras.Model(inputs, layers.Dense(4, name="head")(x))


def resnet(normalization):
    return NETS["ResNet-8"].model(normalization, keras.Model)


def mixed_net(normalization):
    """Linear layers of other kinds, channels last."""
    inputs = keras.Input((16, 16, 3))
    x = layers.ReLU()(normalization()(layers.Conv2D(8, 3, use_bias=False)(inputs)))
    x = layers.ReLU()(normalization()(layers.DepthwiseConv2D(3, use_bias=False)(x)))
    x = layers.ReLU()(normalization()(layers.SeparableConv2D(6, 3)(x)))
    x = layers.ReLU()(normalization()(layers.Conv2DTranspose(4, 3, strides=2)(x)))
    return keras.Model(inputs, normalization()(layers.Dense(5)(x)))


TWINS = {"ResNet-8": resnet, "channels first": first_channels_net, "mixed": mixed_net}


def twins(name):
    """The same net with BIN layers whose rho is 1, and with batch normalization."""
    batch_normalized = randomize(TWINS[name](layers.BatchNormalization))
    bin_net = TWINS[name](BIN)
    for source, target in zip(batch_normalized.layers, bin_net.layers, strict=True):
        weights = source.get_weights()
        if isinstance(target, BIN):
            weights.insert(2, np.ones_like(weights[0]))
        target.set_weights(weights)
    return bin_net, batch_normalized


@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # Keras looks it up
@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("ResNet-8", {}),
        # TensorFlow folds batch normalization only into Conv2D with channels last.
        pytest.param(
            *("channels first", {"Mul": 4, "Add": 4}),
            marks=needs_keras("3.15", "exports it with one Add less"),
        ),
        ("mixed", {"Mul": 4, "Add": 4}),
    ],
)
def test_rho_one_gives_the_operators_of_the_net_with_batch_normalization(name, saved, tmp_path):
    """As many of each kind as Keras's own export writes, or fewer."""
    bin_net, batch_normalized = twins(name)
    batch_normalized(np.zeros([size or 16 for size in bin_net.input_shape], "float32"))
    with contextlib.redirect_stdout(None):
        batch_normalized.export(
            tmp_path / "bn.onnx", format="onnx", opset_version=17, verbose=False
        )
    report = export_onnx(bin_net, tmp_path / "bin.onnx", opset=17)
    assert {layer.became for layer in report.layers} == {"absorbed"}
    assert operators(report.path) + collections.Counter(saved) == operators(tmp_path / "bn.onnx")


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_transposes_are_at_the_outer_edges_only(lowering, tmp_path):
    """One for the input, none for the output, which has no spatial axes."""
    model = randomize(resnet(BIN))
    graph = onnx.load(export_onnx(model, tmp_path / "model.onnx", lowering=lowering).path).graph
    transposes = [node for node in graph.node if node.op_type == "Transpose"]
    assert [node.input[0] for node in transposes] == [graph.input[0].name]
    kinds = {node.op_type for node in graph.node}
    assert ("InstanceNormalization" in kinds) == (lowering == "instance_normalization")
    assert ("ReduceMean" in kinds) == (lowering == "reduce_mean")


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_image_to_image_net_has_one_transpose_at_each_edge(lowering, tmp_path):
    model = around(
        layers.Conv2D(4, 3, padding="same"), BIN(), layers.ReLU(), layers.Conv2D(3, 1), BIN()
    )
    graph = onnx.load(export_onnx(model, tmp_path / "model.onnx", lowering=lowering).path).graph
    transposes = [node for node in graph.node if node.op_type == "Transpose"]
    assert [node.input[0] for node in transposes[:1]] == [graph.input[0].name]
    assert [node.output[0] for node in transposes[1:]] == [graph.output[0].name]


@pytest.mark.parametrize("rho", [0.0, 1.0, None], ids=["zero", "one", "mixed"])
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_channels_first_net_has_no_transpose(lowering, rho, tmp_path):
    model = randomize(first_channels_net(BIN), rho)
    report = export_onnx(model, tmp_path / "model.onnx", lowering=lowering)
    found = operators(report.path)
    assert not {"Transpose", "Shape"} & set(found)
    statistics = found["InstanceNormalization"] + found["ReduceMean"]
    expected = {"instance_normalization": 4, "reduce_mean": 8}[lowering]
    assert statistics == (0 if rho == 1 else expected)
    assert report.max_abs_difference < 1e-4


def test_batch_and_sizes_are_free(tmp_path):
    model = randomize(first_channels_net(BIN))
    path = export_onnx(model, tmp_path / "model.onnx").path
    (value,) = onnx.load(path).graph.input
    sizes = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, "image_2", "image_3"]


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_metadata_says_who_wrote_what(lowering, tmp_path):
    model = around(layers.Conv2D(4, 3, name="conv"), BIN(name="a"), BIN(name="b"))
    for layer, rho in zip(layers_of(model, BIN), (1.0, [0.0, 0.05, 0.5, 1.0]), strict=True):
        layer.rho.assign(np.broadcast_to(rho, 4))
    path = tmp_path / "model.onnx"
    report = export_onnx(model, path, lowering=lowering, rho_tolerance=0.1)
    proto = onnx.load(path)
    assert (proto.producer_name, proto.producer_version) == ("keras-bin", keras_bin.__version__)
    assert proto.graph.name == model.name
    metadata = {pair.key: pair.value for pair in proto.metadata_props}
    assert metadata["keras_bin"] == keras_bin.__version__
    assert metadata["keras"] == keras.__version__
    assert metadata["lowering"] == lowering
    found = json.loads(metadata["layers"])
    assert [(layer["layer"], layer["became"], layer["into"]) for layer in found] == [
        ("a", "absorbed", "conv"),
        ("b", "batch-instance normalization", None),
    ]
    assert [layer["snapped"] for layer in found] == [0, 1]
    rho = json.loads(metadata["rho"])
    assert [(each["layer"], each["at_zero"], each["at_one"]) for each in rho] == [
        ("a", 0, 4),
        ("b", 2, 1),
    ]
    assert report.as_dict()["layers"] == found
    assert report.snapping_difference > 0


def test_metadata_of_a_model_without_gates_is_empty(tmp_path):
    proto = onnx.load(export_onnx(KINDS["without_bin"](), tmp_path / "model.onnx").path)
    metadata = {pair.key: json.loads(pair.value) for pair in proto.metadata_props[-2:]}
    assert metadata["rho"] == []
    assert [layer["became"] for layer in metadata["layers"]] == ["absorbed"]


def test_absorbed_output_keeps_its_name(tmp_path):
    model = around(layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="scores"))
    graph = onnx.load(export_onnx(model, tmp_path / "model.onnx").path).graph
    assert [value.name for value in graph.output] == ["scores"]


def test_keys_of_dicts_stay_where_layers_are_absorbed(tmp_path):
    inputs = {name: keras.Input(IMAGE, name=name) for name in ("right", "left")}
    x = BIN()(layers.Conv2D(4, 3)(layers.Subtract()(list(inputs.values()))))
    outputs = {"score": x, "active": layers.ReLU()(x)}
    model = randomize(keras.Model(inputs, outputs), rho=1.0)
    report = export_onnx(model, tmp_path / "model.onnx")
    graph = onnx.load(report.path).graph
    assert {value.name for value in graph.input} == {"left", "right"}
    assert {value.name for value in graph.output} == {"active", "score"}
    assert report.layers[0].became == "absorbed"
    assert report.max_abs_difference < 1e-5


@pytest.mark.parametrize("lowering", ["InstanceNormalization", None], ids=repr)
def test_unknown_lowering_is_refused_before_anything_is_made(lowering, tmp_path):
    with pytest.raises(ValueError, match=rf"`lowering` must be one of.*lowering={lowering!r}$"):
        export_onnx(bin_model(), tmp_path / "new" / "model.onnx", lowering=lowering)
    assert list(tmp_path.iterdir()) == []
