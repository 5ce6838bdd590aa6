"""The optimizer's moving average of rho, which `use_ema=True` keeps."""

import keras
import numpy as np
import pytest

import keras_bin
from benchmarks.rho_steps import SCALE
from keras_bin.keras_internals import moving_average
from testing.small_net import batch
from tests.training.test_model import compiled, rho_of


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("cls", [keras.optimizers.SGD, keras.optimizers.Adam])
@pytest.mark.parametrize("frequency", [None, 3], ids=["no overwrite", "overwrite"])
def test_moving_average_follows_the_real_rho(cls, frequency):
    """The average that use_ema keeps, recomputed here from the values that rho takes."""
    model = compiled(
        SCALE,
        cls(0.05, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=frequency),
        run_eagerly=True,
    )
    steps = compiled(SCALE, cls(0.05), run_eagerly=True)
    average = None
    for step in range(1, 9):
        images, labels = batch()
        if frequency is None:
            steps.train_on_batch(images, labels)
            value = rho_of(steps)
            average = value if average is None else 0.75 * average + 0.25 * value
        model.train_on_batch(images, labels)
        kept = moving_average(model.optimizer, keras_bin.rho_weights(model)[0]).numpy()
        assert ((kept >= 0) & (kept <= 1)).all()
        if frequency is None:
            np.testing.assert_allclose(rho_of(model), value, rtol=0, atol=1e-9)
            np.testing.assert_allclose(kept, average, rtol=0, atol=1e-9)
        elif step % frequency == 0:
            np.testing.assert_array_equal(rho_of(model), kept)


@pytest.mark.usefixtures("float64")
def test_averages_agree_whether_gradient_or_update_is_scaled():
    rhos = []
    for clip in ({}, {"clipnorm": 1e9}):
        model = compiled(
            SCALE,
            keras.optimizers.SGD(
                0.05, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=3, **clip
            ),
        )
        model.fit(*batch(), batch_size=4, epochs=3, shuffle=False, verbose=0)
        rhos.append(rho_of(model))
    assert np.abs(rhos[0] - 0.5).max() > 1e-2
    np.testing.assert_allclose(rhos[1], rhos[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("cls", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_rho_is_in_range_after_the_average_is_finalized(cls):
    model = compiled(SCALE, cls(1.0, use_ema=True, ema_momentum=0.0))
    model.fit(*batch(), epochs=2, verbose=0)
    assert ((rho_of(model) >= 0) & (rho_of(model) <= 1)).all()


def test_step_skipped_by_loss_scaling_leaves_the_average():
    keras.config.set_dtype_policy("mixed_float16")
    model = compiled(SCALE, keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5))
    images, labels = batch()
    model.train_on_batch(images, labels)
    inner = model.optimizer.inner_optimizer
    kept = moving_average(inner, keras_bin.rho_weights(model)[0])
    rho, average = rho_of(model), kept.numpy()
    model.train_on_batch(np.full_like(images, np.inf), labels)
    np.testing.assert_array_equal(rho_of(model), rho)
    np.testing.assert_array_equal(kept.numpy(), average)
