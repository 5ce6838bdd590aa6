"""Scales of inputs: what reaches the first normalization has about its running statistics."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.networks.signature import TensorInfo, model_signature
from keras_bin.sampling.scaling import Scale, find_scales, scaled
from keras_bin.sampling.trial import Trial
from tests.export.kinds import BIN

# Temperature in K, pressure in Pa, geopotential in m²/s², humidity in kg/kg.
MEAN = np.array([288, 101325, 54000, 0.005], "float32")
DEVIATION = np.array([12, 900, 3000, 0.003], "float32")


def weather(shape, seed=0):
    noise = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return MEAN + DEVIATION * noise


def trained(*stack, shape=(12, 10, 4), axis=None, dtype=None):
    """A model whose moving statistics are those of weather data."""
    x = inputs = keras.Input(shape, name="fields", dtype=dtype)
    for layer in stack:
        x = layer(x)
    model = keras.Model(inputs, x)
    data = weather((16, *(9 if size is None else size for size in (*shape[:-1], 4))))
    if axis == 1:
        data = weather((16, *shape[1:], 4)).transpose(0, 3, 1, 2)
    model(data, training=True)
    return model


def unscaled(model, rows=3):
    rng = np.random.default_rng(0)
    return {
        info.name: rng.normal(
            1.5, 2, (rows, *(9 if s is None else s for s in info.shape[1:]))
        ).astype(info.dtype)
        for info in model_signature(model).inputs
    }


def scales_of(model, batch=None):
    signature = model_signature(model)
    return find_scales(
        Trial(model, signature), signature, unscaled(model) if batch is None else batch
    )


def reached(model, layer, scales):
    """Moments of what `layer` gets from inputs of the scales, in units of its statistics."""
    signature = model_signature(model)
    rng, batch = np.random.default_rng(5), unscaled(model, 24)
    for info in signature.inputs:
        if info.name in scales:
            shape = batch[info.name].shape
            batch[info.name] = scaled(rng, info, shape, scales[info.name])
    _, seen = Trial(model, signature).first_input([layer], batch)
    values = np.moveaxis(seen, layer.axis, -1).reshape(-1, layer.moving_mean.shape[0])
    variance = np.array(layer.moving_variance)
    deviation = np.sqrt(np.where(variance > 0, variance, 1))
    return (values.mean(0) - np.array(layer.moving_mean)) / deviation, values.std(0) / deviation


@pytest.mark.parametrize("norm", [BIN, layers.BatchNormalization], ids=["BIN", "BN"])
def test_input_that_is_normalized_gets_the_statistics(norm):
    model = trained(norm(momentum=0.0))
    (scale,) = scales_of(model).values()
    assert scale.mean.shape == scale.deviation.shape == (1, 1, 1, 4)
    np.testing.assert_allclose(scale.mean.ravel(), MEAN, rtol=0.05)
    np.testing.assert_allclose(scale.deviation.ravel(), DEVIATION, rtol=0.05)


def test_channels_first_input_gets_the_statistics():
    model = trained(BIN(axis=1, momentum=0.0), shape=(4, 12, 10), axis=1)
    (scale,) = scales_of(model).values()
    assert scale.mean.shape == (1, 4, 1, 1)
    np.testing.assert_allclose(scale.mean.ravel(), MEAN, rtol=0.05)


@pytest.mark.parametrize(
    "before",
    [
        [layers.Conv2D(8, 3, padding="same", use_bias=False)],
        [layers.Conv2D(6, 3, strides=2), layers.Conv2D(8, 1)],
        [layers.Rescaling(1 / 300), layers.Conv2D(8, 3)],
        [layers.Normalization(mean=MEAN, variance=DEVIATION**2), layers.Conv2D(8, 3)],
        [layers.DepthwiseConv2D(3, depth_multiplier=2)],
        [layers.Conv2D(8, 3, activation="relu")],
        [layers.Dense(3)],
    ],
    ids=["conv", "two", "rescaled", "adapted", "depthwise", "relu", "fewer channels"],
)
def test_layer_behind_others_gets_about_its_statistics(before):
    keras.utils.set_random_seed(5)  # after some others, a channel is nearly always 0
    model = trained(
        *[type(layer).from_config(layer.get_config()) for layer in before],
        BIN(momentum=0.0, name="bin"),
    )
    layer = model.get_layer("bin")
    means, deviations = reached(model, layer, scales_of(model))
    live = np.array(layer.moving_variance) > 1e-3
    assert np.abs(means[live]).max() < 0.6
    assert 0.3 < np.median(deviations[live]) < 2.5


def test_vectors_are_scaled():
    inputs = keras.Input((4,), name="fields")
    model = keras.Model(inputs, layers.BatchNormalization(momentum=0.0)(inputs))
    model(weather((64, 4)), training=True)
    (scale,) = scales_of(model).values()
    np.testing.assert_allclose(scale.mean.ravel(), MEAN, rtol=0.5)


def test_input_of_many_channels_gets_one_scale():
    inputs = keras.Input((6, 5, 40), name="x")
    model = keras.Model(inputs, BIN(momentum=0.0, name="bin")(layers.Conv2D(8, 1)(inputs)))
    rng = np.random.default_rng(0)
    model(rng.normal(5000, 90, (16, 6, 5, 40)).astype("float32"), training=True)
    (scale,) = scales_of(model).values()
    assert scale.mean.shape == (1, 1, 1, 1)
    assert scale.mean.item() == pytest.approx(5000, rel=0.05)
    assert scale.deviation.item() == pytest.approx(90, rel=0.6)


@pytest.mark.lacking("torch", reason="a convolution's rounding depends on the number of rows there")
def test_inputs_that_meet_before_the_layer_are_fitted_together():
    first, second = keras.Input((6, 5, 2), name="a"), keras.Input((6, 5, 2), name="b")
    aside = keras.Input((6, 5, 2), name="aside")
    joined = layers.Concatenate()([first, second])
    x = BIN(momentum=0.0, name="bin")(layers.Conv2D(8, 1)(joined))
    model = keras.Model([first, second, aside], [x, aside * 2])
    data = weather((16, 6, 5, 4))
    model([data[..., :2], data[..., 2:], data[..., :2]], training=True)
    scales = scales_of(model)
    assert scales.keys() == {"a", "b"}
    means, _ = reached(model, model.get_layer("bin"), scales)
    assert np.abs(means).max() < 0.6


class Rounded(layers.Layer):
    """Moves every second row by the rounding of float32, as some processors' convolutions do."""

    def call(self, inputs):
        rows = ops.reshape(ops.arange(ops.shape(inputs)[0]) % 2, (-1, 1, 1, 1))
        return inputs * (1 + np.finfo("float32").eps * ops.cast(rows, inputs.dtype))


def test_rounding_of_rows_does_not_bring_in_another_input():
    first, aside = keras.Input((6, 5, 4), name="a"), keras.Input((6, 5, 2), name="aside")
    x = BIN(momentum=0.0)(Rounded()(layers.Conv2D(8, 1)(first)))
    model = keras.Model([first, aside], [x, aside * 2])
    data = weather((16, 6, 5, 4))
    model([data, data[..., :2]], training=True)
    assert scales_of(model).keys() == {"a"}


def untrained():
    return keras.Model(i := keras.Input((6, 5, 4)), BIN()(i))


def without():
    return keras.Model(i := keras.Input((6, 5, 4)), layers.Conv2D(2, 3)(i))


def of_integers():
    inputs = keras.Input((6, 5, 4), dtype="int32")
    model = keras.Model(inputs, BIN(momentum=0.0)(ops.cast(inputs, "float32")))
    model(np.ones((2, 6, 5, 4), "int32") * 7, training=True)
    return model


def not_linear():
    inputs = keras.Input((6, 5, 4))
    x = ops.log(ops.abs(inputs)) * ops.sign(inputs - 1e9) / ops.relu(inputs - 1e9)
    model = keras.Model(inputs, BIN(name="bin")(x))
    model.get_layer("bin").moving_mean.assign([3, 3, 3, 3])
    return model


def unreached():
    inputs = keras.Input((6, 5, 4))
    model = keras.Model(inputs, BIN(name="bin")(inputs * 0.0 + 1.0))
    model.get_layer("bin").moving_mean.assign([3, 3, 3, 3])
    return model


def nan_statistics():
    model = untrained()
    model.layers[-1].moving_mean.assign([np.nan, 1, 1, 1])
    return model


@pytest.mark.parametrize(
    "build", [untrained, without, of_integers, not_linear, unreached, nan_statistics]
)
def test_there_is_no_scale_where_none_fits(build):
    assert scales_of(build()) == {}


def test_scale_beyond_the_dtype_of_the_input_is_none():
    inputs = keras.Input((6, 5, 4), dtype="float16", name="x")
    model = keras.Model(inputs, BIN(name="bin", dtype="float32")(inputs))
    model.get_layer("bin").moving_mean.assign(MEAN)
    assert scales_of(model) == {}


def test_scaled_noise_has_the_scale_and_rows_of_their_own():
    info = TensorInfo("x", (None, 40, 40, 2), "float32")
    scale = Scale(np.array([[[[1000.0, -5.0]]]]), np.array([[[[10.0, 0.1]]]]))
    x = scaled(np.random.default_rng(0), info, (64, 40, 40, 2), scale)
    assert x.dtype == "float32"
    np.testing.assert_allclose(x.mean((0, 1, 2)), [1000, -5], rtol=0.002)
    np.testing.assert_allclose(x.std((0, 1, 2)), [10, 0.1], rtol=0.2)
    # The mean of 1600 draws would differ by 0.025 deviations from row to row.
    np.testing.assert_array_less([3, 0.03], x.mean((1, 2)).std(0))
