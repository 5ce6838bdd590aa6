"""Probe images: which there are, of which inputs, and where they are left out."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.networks.signature import Signature, TensorInfo, model_signature
from keras_bin.sampling.batches import sample_batches
from keras_bin.sampling.probe_images import reads_pixels
from tests.export.kinds import BIN, IMAGE


def large_batch(model):
    return next(
        batch
        for batch in sample_batches(model_signature(model), None, model)
        if len(next(iter(batch.values()))) == 16
    )


def image_model(*stack, shape=IMAGE, dtype="float32"):
    x = inputs = keras.Input(shape, name="x", dtype=dtype)
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x * 2)


def constants(x):
    """The value of each row that is one value in each channel."""
    flat = x.reshape(len(x), -1, x.shape[-1])
    return [tuple(row[0].tolist()) for row in flat if (row == row[0]).all()]


def spread(x):
    """Standard deviations of each row by channel, the largest one."""
    return x.reshape(len(x), -1, x.shape[-1]).astype("float64").std(axis=1).max(axis=1)


@pytest.mark.parametrize(
    "shape", [IMAGE, (40, 3), (4, 5, 6, 2), (None, None, 3)], ids=["2D", "1D", "3D", "free"]
)
def test_float_inputs_get_zeros_and_their_mean(shape):
    x = large_batch(image_model(shape=shape))["x"]
    assert constants(x) == [(0.0,) * shape[-1], (1.5,) * shape[-1]]
    deviations = spread(x)
    assert ((deviations > 0) & (deviations < 0.01)).sum() == 1
    assert (deviations > 1).sum() == 13
    most_common = [np.unique(row, return_counts=True)[1].max() / row.size for row in x]
    assert sum(0.2 < share < 1 for share in most_common) == 1


def test_constant_is_the_mean_of_the_statistics():
    model = image_model(BIN(name="bin"))
    model.get_layer("bin").moving_mean.assign([288, 101325, 54000])
    assert constants(large_batch(model)["x"]) == [(0, 0, 0), (288, 101325, 54000)]


@pytest.mark.parametrize("scale", [1 / 255, 1 / 127.5, 1 / 128], ids=["255", "127.5", "128"])
def test_pixels_are_white_too(scale):
    x = large_batch(image_model(layers.Rescaling(scale)))["x"]
    assert constants(x) == [(0, 0, 0), (1.5, 1.5, 1.5), (255, 255, 255)]
    saturated = x[-1]
    assert (saturated.min(), saturated.max()) == (0, 255)
    assert ((saturated == 0) | (saturated == 255)).mean() > 0.4


@pytest.mark.parametrize("stack", [[], [layers.Rescaling(2.0)], [layers.ReLU()]], ids=len)
def test_other_floats_are_no_pixels(stack):
    assert not reads_pixels(stack)
    assert (255, 255, 255) not in constants(large_batch(image_model(*stack))["x"])


def test_scale_per_channel_is_one_of_pixels():
    assert reads_pixels([layers.Rescaling([1 / 255, 1 / 128, 1 / 255])])
    assert not reads_pixels([layers.Rescaling([1 / 255, 1.0, 1 / 255])])


def test_bytes_are_pixels():
    x = large_batch(image_model(dtype="uint8"))["x"]
    assert x.dtype == "uint8"
    assert constants(x) == [(0, 0, 0), (128, 128, 128), (255, 255, 255)]
    assert ((spread(x) > 0) & (spread(x) < 1)).sum() == 1


def test_bytes_that_are_rows_of_a_table_are_no_images():
    inputs = keras.Input((6, 5), dtype="uint8", name="x")
    x = large_batch(keras.Model(inputs, layers.Embedding(256, 2)(inputs[:, :, :] // 2)))["x"]
    assert x.max() == 255
    x = large_batch(keras.Model(inputs, layers.Embedding(9, 2)(inputs)))["x"]
    assert (x.min(), x.max()) == (0, 8)


def test_vectors_of_floats_get_zeros_only():
    x = large_batch(image_model(shape=(7,)))["x"]
    assert [bool(row.any()) for row in x] == [True] * 15 + [False]


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_other_inputs_get_none(dtype):
    inputs = keras.Input((4, 5, 3), name="x", dtype=dtype)
    x = large_batch(keras.Model(inputs, ops.cast(inputs, "float32")))["x"]
    assert constants(x) == []


@pytest.mark.parametrize(
    ("function", "left"),
    [
        (lambda x: x / ops.std(x, axis=(1, 2, 3), keepdims=True), []),
        (lambda x: x / ops.mean(ops.abs(x), axis=(1, 2, 3), keepdims=True), [(1.5, 1.5, 1.5)]),
        (lambda x: x, [(0, 0, 0), (1.5, 1.5, 1.5)]),
    ],
    ids=["deviation", "mean", "neither"],
)
def test_rows_on_which_the_model_is_not_finite_are_left_out(function, left):
    model = image_model(layers.Lambda(function, output_shape=IMAGE))
    x = large_batch(model)["x"]
    assert len(x) == 16
    assert constants(x) == left
    assert np.isfinite(ops.convert_to_numpy(model(x))).all()


def test_probe_images_go_to_all_inputs_at_once():
    inputs = {name: keras.Input(IMAGE, name=name) for name in ("a", "b")}
    ids = keras.Input((3,), dtype="int32", name="ids")
    model = keras.Model({**inputs, "ids": ids}, [inputs["a"] + inputs["b"], ids // 2])
    batch = large_batch(model)
    zeros = [[not row.any() for row in batch[name]] for name in ("a", "b")]
    assert zeros[0] == zeros[1]
    assert sum(zeros[0]) == 1


def test_probe_images_are_made_without_a_model_too():
    signature = Signature((TensorInfo("x", (None, *IMAGE), "float32"),), ())
    *_, large = sample_batches(signature)
    assert constants(large["x"]) == [(0, 0, 0), (1.5, 1.5, 1.5)]
