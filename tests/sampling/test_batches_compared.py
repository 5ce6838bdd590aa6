"""Faults that only samples of the right kind bring to light."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export import ValuesError, export_onnx
from keras_bin.export.verifying.artifact import Artifact
from keras_bin.networks.signature import model_signature
from tests.export.kinds import BIN, IMAGE
from tests.export.values import compared

TABLE = np.arange(300, dtype="float32")[:, None]


def compared_function(function, artifact, shape, dtype):
    """Compares a model with a NumPy function that stands for an artifact of it."""
    inputs = keras.Input(shape, dtype=dtype, name="x")
    model = keras.Model(inputs, {"y": function(inputs)})
    signature = model_signature(model)
    return compared(Artifact(signature, lambda batch: {"y": artifact(batch["x"])}), model)


def table(ids):
    return layers.Embedding(300, 1, embeddings_initializer=lambda *_a, **_k: TABLE)(ids)


def same(x):
    return x * 1


def off_where(wrong):
    """Makes an artifact of `same` that is off by 0.01 in images of a kind."""

    def artifact(x):
        rows = [image + np.float32(0.01) * np.float32(wrong(image)) for image in x]
        return np.stack(rows).astype(x.dtype)

    return artifact


@pytest.mark.parametrize(
    ("function", "right", "wrong", "shape", "dtype"),
    [
        (lambda x: x // 2, lambda x: x // 2, lambda x: (x / 2).astype(x.dtype), (1,), "int32"),
        (lambda x: x // 2, lambda x: x // 2, lambda x: (x / 2).astype(x.dtype), (4, 2), "int64"),
        (lambda x: x % 3, lambda x: x % 3, lambda x: np.fmod(x, 3), (1,), "int32"),
        (same, same, lambda x: np.minimum(x, 254), IMAGE, "uint8"),
        (table, lambda x: TABLE[x], lambda x: TABLE[np.minimum(x, 298)], (5,), "int32"),
    ],
    ids=["floor", "floor of several", "remainder", "bytes", "last row of a table"],
)
def test_wrong_integers_are_found(function, right, wrong, shape, dtype):
    assert compared_function(function, right, shape, dtype).max_abs == 0
    with pytest.raises(ValuesError):
        compared_function(function, wrong, shape, dtype)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda image: image.shape[0] % 2 == 1,
        lambda image: image.shape[1] % 2 == 1,
        lambda image: image.shape[0] > image.shape[1],
        lambda image: image.shape[0] < image.shape[1],
        lambda image: image.size < 300,
    ],
    ids=["odd height", "odd width", "high", "wide", "tiny"],
)
def test_wrong_sizes_are_found(wrong):
    with pytest.raises(ValuesError):
        compared_function(same, off_where(wrong), (None, None, 3), "float32")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda image: not image.any(),
        lambda image: image.any() and image.std() == 0,
        lambda image: 0 < image.std() < 0.01,
        lambda image: image.std() > 1 and (image == image.max()).mean() > 0.2,
    ],
    ids=["zeros", "constant", "nearly constant", "saturated"],
)
@pytest.mark.parametrize("shape", [IMAGE, (None, None, 3), (9, 2)], ids=["fixed", "free", "1D"])
def test_errors_on_probe_images_are_found(wrong, shape):
    with pytest.raises(ValuesError):
        compared_function(same, off_where(wrong), shape, "float32")


def test_message_says_that_samples_can_be_given():
    with pytest.raises(ValuesError, match="pass typical ones as `samples`"):
        compared_function(same, lambda x: x + 1, IMAGE, "float32")


@pytest.mark.parametrize("first", ["bin", "conv"])
def test_model_of_weather_is_right_by_default(first, tmp_path):
    """Inputs around 0 would be rounded away behind means of 100,000."""
    means = np.array([288, 101325, 54000, 0.005], "float32")
    deviations = np.array([12, 900, 3000, 0.003], "float32")
    noise = np.random.default_rng(0).normal(size=(16, 32, 32, 4)).astype("float32")
    x = inputs = keras.Input((32, 32, 4), name="fields")
    if first == "bin":
        x = BIN(momentum=0.0)(x)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(BIN(momentum=0.0)(x))
    model = keras.Model(inputs, layers.Conv2D(1, 1, name="rain")(x))
    model(means + deviations * noise, training=True)
    assert export_onnx(model, tmp_path / "rain.onnx").verification.passed
