"""Whole exports of what users have: layers, precisions, names and states of every kind."""

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_bin.export import (
    OperatorError,
    VerificationError,
    export_onnx,
    export_saved_model,
    verify,
)
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE
from tests.export.serving import serving
from tests.keras_versions import needs_keras


class Counting(layers.Layer):
    """Counts its calls, and adds the count if it is told to."""

    def __init__(self, add, **kwargs):
        super().__init__(**kwargs)
        self.add = add

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs + self.calls if self.add else ops.relu(inputs)


class AlwaysDropping(layers.Dropout):
    """Drops out in inference, too."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


def quantized(mode):
    model = around(layers.Conv2D(4, 3), BIN(), layers.Dense(2, name="dense"))
    model.get_layer("dense").quantize(mode)
    return model


def double():
    keras.config.set_dtype_policy("float64")
    try:
        return around(layers.Conv2D(4, 3), BIN(rho_initializer="zeros"))
    finally:
        keras.config.set_dtype_policy("float32")


def of_input_names(*names):
    inputs = [keras.Input(IMAGE, name=name) for name in names]
    return keras.Model(inputs, BIN(name="y")(layers.Concatenate()(inputs)))


BOTH = {
    "silu": lambda: around(layers.Conv2D(4, 3, activation="silu"), BIN()),
    "int8": lambda: quantized("int8"),
    "int4": lambda: quantized("int4"),
    "grouped": lambda: around(layers.Conv2D(6, 3, groups=3), BIN(), layers.ReLU()),
    "float64": double,
    "celu": lambda: around(layers.Conv2D(4, 3), BIN(), layers.Activation("celu")),
    "input names": lambda: of_input_names("image-in", "größe 2"),
    "side effect": lambda: around(BIN(), Counting(add=False)),
    "channels-first resizing": lambda: around(
        layers.Resizing(4, 5, data_format="channels_first"), BIN(axis=1), shape=(3, 8, 6)
    ),
}


NEEDS = {"int4": needs_keras("3.11", "has no int4")}


def cases(*left_out):
    return [
        pytest.param(build, id=name, marks=NEEDS.get(name, ()))
        for name, build in BOTH.items()
        if name not in left_out
    ]


@pytest.mark.slow
@pytest.mark.parametrize("build", cases())
def test_kind_exports_to_a_saved_model(build, tmp_path):
    model = build()
    report = export_saved_model(model, tmp_path)
    assert verify(report.path, model).passed


@pytest.mark.parametrize("build", cases("float64"))
def test_kind_exports_to_onnx(build, tmp_path):
    model = build()
    report = export_onnx(model, tmp_path / "model.onnx")
    assert verify(report.path, model).passed


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [lambda: around(BIN(), Counting(add=True)), lambda: around(BIN(), AlwaysDropping(0.5))],
    ids=["counter", "random numbers"],
)
def test_state_that_outputs_depend_on_is_in_a_saved_model_alone(build, tmp_path):
    model = build()
    states = [np.array(variable) for variable in model.non_trainable_variables]
    path = export_saved_model(model, tmp_path / "served").path
    for variable, value in zip(model.non_trainable_variables, states, strict=True):
        np.testing.assert_array_equal(variable, value)
    serve, x = serving(path), np.ones((2, *IMAGE), "float32")
    (first,), (second,) = (serve(image=tf.constant(x)).values() for _ in range(2))
    assert np.abs(first.numpy() - second.numpy()).max() > 0.5
    with pytest.raises(OperatorError, match="no variables that a call assigns"):
        export_onnx(model, tmp_path / "model.onnx")


@needs_keras("3.14", "resizes images of unknown size")
def test_model_that_runs_in_no_graph_is_refused_with_the_way_out(tmp_path):
    inputs = keras.Input((None, None, 3), name="image")
    model = keras.Model(inputs, layers.UpSampling2D(interpolation="bilinear")(inputs))
    with pytest.raises(ValueError, match=r"give its keras.Input fixed sizes.*UpSampling2D"):
        export_onnx(model, tmp_path / "model.onnx")


def test_float64_needs_a_runtime_that_computes_in_it(tmp_path):
    """ONNX Runtime has no convolution in float64."""
    with pytest.raises(VerificationError, match=r"few operators in float64.*\n.*Conv"):
        export_onnx(double(), tmp_path / "model.onnx")


def test_clipped_gates_are_reported(tmp_path):
    model = around(BIN(name="bin"))
    model.get_layer("bin").rho.assign([1.17, -0.5, 0.5])
    report = export_onnx(model, tmp_path / "model.onnx")
    assert report.layers[0].clipped == 2
    assert report.snapping_difference > 0.01
    assert "2 gates clipped, which changes outputs by" in str(report)


@pytest.mark.parametrize("weight", ["MobileNetV3Small", "MobileNetV2"])
def test_no_transpose_is_left_inside_a_mobile_net(weight, tmp_path):
    net = getattr(keras.applications, weight)(
        weights=None, input_shape=(32, 32, 3), classes=3, classifier_activation=None
    )
    report = export_onnx(net, tmp_path / "net.onnx")
    assert report.inner_transposes == 0


def test_constant_images_are_exact_under_onnx_runtime(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((64, 64, 3), name="image")
    x = layers.Conv2D(8, 3, use_bias=False)(inputs)
    model = keras.Model(inputs, BIN(rho_initializer="zeros", momentum=0.0, name="y")(x))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype("float32")
    model(pixels, training=True)
    path = export_onnx(model, tmp_path / "model.onnx").path
    session = onnxruntime.InferenceSession(path)
    for value in (0, 128, 255):
        (got,) = session.run(None, {"image": np.full((1, 64, 64, 3), value, "float32")})
        # 0 is beta. TensorFlow's own result is not the reference: its convolution may round.
        np.testing.assert_allclose(got, 0, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [1.1, 0.96], ids=["clipped", "moved"])
def test_state_counts_on_where_gates_are_changed(rho, tmp_path):
    model = around(BIN(name="bin"), Counting(add=True))
    model.get_layer("bin").rho.assign([rho] * 3)
    serve = serving(export_saved_model(model, tmp_path, rho_tolerance=0.05).path)
    x = tf.zeros((1, *IMAGE))
    first, second, third = (next(iter(serve(image=x).values())).numpy() for _ in range(3))
    np.testing.assert_allclose([second - first, third - second], 1, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.float32([rho] * 3))


def test_call_of_ones_own_on_a_batch_normalization_is_kept(tmp_path):
    model = around(layers.BatchNormalization(name="bn"))
    layer = model.get_layer("bn")
    layer.call = lambda inputs, training=None, mask=None: inputs * 5
    path = export_onnx(model, tmp_path / "model.onnx").path
    (got,) = onnxruntime.InferenceSession(path).run(
        None, {"image": np.ones((1, *IMAGE), "float32")}
    )
    np.testing.assert_array_equal(got, np.full((1, *IMAGE), 5, "float32"))
    assert "call" in vars(layer)
