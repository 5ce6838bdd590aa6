"""Moving statistics: batches that overflow leave no trace in them."""

import keras
import numpy as np
import pytest

import keras_bin
from testing import reference
from testing.small_net import batch, build_model
from tests import cases

SHAPE = (4, 3, 3, 2)
LOSS = keras.losses.SparseCategoricalCrossentropy


def overflowing(value):
    """Returns inputs that hold `value` in their second channel."""
    x = cases.random_input(SHAPE).astype("float32")
    x[1, 0, 2, 1] = value
    return x


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e25], ids=str)
def test_channel_that_overflows_keeps_its_statistics(value, momentum):
    weights = reference.random_weights(SHAPE[-1])
    layer = cases.make_layer(weights, SHAPE, momentum=momentum)
    before = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
    x = overflowing(value)
    layer(x, training=True)
    after = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
    batch_statistics = [x[..., 0].mean(), x[..., 0].var()]
    for old, new, statistic in zip(before, after, batch_statistics, strict=True):
        expected = old[0] * momentum + statistic * (1 - momentum)
        np.testing.assert_allclose(new[0], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(new[1], old[1])


def test_large_finite_statistics_count():
    layer = keras_bin.BatchInstanceNormalization(momentum=0.5)
    layer(overflowing(1e15), training=True)
    largest = 1e15**2 * (1 / 36 - 1 / 36**2)  # the variance of one such value among 36
    np.testing.assert_allclose(layer.moving_variance[1], 0.5 * largest, rtol=1e-5)


def test_variance_beyond_float16_is_left_out_of_float16_weights():
    layer = keras_bin.BatchInstanceNormalization(dtype="float16", momentum=0.0)
    layer(1000 * cases.random_input(SHAPE).astype("float16"), training=True)
    np.testing.assert_array_equal(layer.moving_mean, 0)
    np.testing.assert_array_equal(layer.moving_variance, 1)


def test_masked_elements_may_overflow():
    layer = keras_bin.BatchInstanceNormalization(momentum=0.0)
    x = overflowing(np.inf)
    mask = np.isfinite(x).all(-1)
    layer(x, training=True, mask=mask)
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, x[mask].var(0), rtol=1e-5)


def test_step_that_loss_scaling_skips_leaves_no_trace():
    keras.config.set_dtype_policy("mixed_float16")
    model = build_model(10.0)
    model.compile("adam", LOSS(from_logits=True))
    images, labels = batch()
    model.train_on_batch(images, labels)
    before = model.get_weights()
    model.train_on_batch(1e5 * images, labels)  # beyond float16
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old, err_msg=weight.path)
    assert float(model.optimizer.dynamic_scale) < model.optimizer.initial_scale
    model.train_on_batch(images, labels)
    assert np.isfinite(model.predict(images, verbose=0)).all()


def test_training_that_diverged_still_shows():
    model = build_model(10.0)
    model.compile(keras.optimizers.SGD(1e30), LOSS(from_logits=True))
    images, labels = batch()
    losses = model.fit(images, labels, epochs=4, verbose=0).history["loss"]
    assert np.isnan(losses[-1])
    assert np.isnan(model.predict(images, verbose=0)).all()
    assert np.isfinite(model.get_layer("bin").moving_variance).all()


def test_statistics_that_batch_normalization_lost_come_back_by_recalibration():
    """Keras 3.15's layer keeps NaN for ever; if this fails, docs/limits.md can say less."""
    layer = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input(SHAPE[1:]), layer])
    layer(overflowing(np.inf), training=True)
    layer(overflowing(1), training=True)
    assert np.isnan(layer.moving_variance[1])
    keras_bin.recalibrate(model, overflowing(1), verbose=0)
    assert np.isfinite(layer.moving_variance).all()
