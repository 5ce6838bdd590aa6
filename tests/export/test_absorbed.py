"""Batch normalizations that a report counts as absorbed, and the reasons for the others."""

import keras
import pytest
from keras import layers

from keras_bin.export import export_onnx, export_saved_model, fold_report
from keras_bin.export.results.layer_report import absorbed, folded
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE

BN = layers.BatchNormalization


def conv(name, **arguments):
    return layers.Conv2D(4, 3, padding="same", use_bias=False, name=name, **arguments)


@keras.saving.register_keras_serializable("tests")
class OwnNormalization(BN):
    """Computes what its base class does."""


@keras.saving.register_keras_serializable("tests")
class Doubling(BN):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


class Block(layers.Layer):
    """Calls one of its layers in inference mode, one in training mode, and one not at all."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.conv = conv("conv")
        self.inference, self.training, self.unused = BN(name="inf"), BN(name="tr"), BN(name="no")

    def build(self, shape):
        self.conv.build(shape)
        for layer in (self.inference, self.training, self.unused):
            layer.build((*shape[:-1], 4))

    def call(self, inputs):
        return self.training(self.inference(self.conv(inputs)), training=True)


def mixed_net():
    """Residual blocks with BN and BIN in every place where people put them."""
    inputs = keras.Input(IMAGE, name="image")
    x = BN(name="of_input")(inputs)
    x = layers.ReLU()(BN(name="of_conv")(conv("c0")(x)))
    y = BN(name="of_activation")(x)
    y = BIN(name="bin")(conv("c1")(y))
    y = BN(name="before_add")(conv("c2")(layers.ReLU()(y)))
    x = BN(name="of_add")(layers.Add()([x, y]))
    x = BN(name="of_fused_activation")(conv("c3", activation="relu")(x))
    shared = BN(name="shared")
    x = layers.Concatenate()([shared(conv("c4")(x)), shared(conv("c5")(x))])
    x = OwnNormalization(name="own")(conv("c6")(x))
    x = Doubling(name="doubling")(conv("c7")(x))
    y = conv("c8")(x)
    x = layers.Add()([BN(name="of_shared_conv")(y), y])
    x = BN(name="called_in_training")(conv("c9")(x), training=True)
    x = Block(name="block")(x)
    x = BN(name="of_dropout")(layers.Dropout(0.5)(conv("c10")(x)))
    x = BN(name="of_pooling")(layers.AveragePooling2D(2)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return randomize(keras.Model(inputs, BN(name="of_dense")(layers.Dense(3, name="d")(x))))


ABSORBED = {"of_conv", "before_add", "own", "called_in_training", "of_dropout", "of_dense"}
# An artifact is made of the graph: it knows each call, and what custom layers compute.
IN_GRAPHS = {"shared", "block/inf"}
REASONS = {
    "of_input": "its input is an input of the model",
    "of_activation": "is used elsewhere too",
    "of_add": "is not a convolution",
    "doubling": "it overrides `call`",
    "of_shared_conv": "is used elsewhere too",
    "of_pooling": "is not a convolution",
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    model = mixed_net()
    folder = tmp_path_factory.mktemp("exports")
    return {
        "saved_model": export_saved_model(model, folder / "net", verbose=False).layers,
        "onnx": export_onnx(model, folder / "net.onnx", verbose=False).layers,
        "fold": fold_report(model),
    }


@pytest.mark.parametrize("kind", ["saved_model", "onnx", "fold"])
def test_absorbed_are_counted_and_the_others_say_why(kind, reports):
    layers = {layer.layer: layer for layer in reports[kind] if not layer.has_gates}
    expected = ABSORBED if kind == "fold" else ABSORBED | IN_GRAPHS
    assert {name for name, layer in layers.items() if layer.became == "absorbed"} == expected
    assert absorbed(reports[kind]) == (len(expected), 17)
    assert folded(reports[kind]) == 1
    for name in layers.keys() - expected:
        assert layers[name].reason
        assert REASONS.get(name, "") in layers[name].reason


def test_counts_of_an_export_are_in_its_summary(tmp_path):
    report = export_onnx(mixed_net(), tmp_path / "net.onnx", verbose=False)
    assert "BIN layers folded: 1, BatchNormalization layers absorbed: 8 of 17" in report.summary
    reasons = str(report).splitlines()[1:]
    assert len(reasons) == 9
    assert "  of_input: its input is an input of the model" in reasons
