"""Gradient reversal: exact forwards, reversed backwards, and its schedule."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.gradient_reversal import GradientReversal, ReversalSchedule, reversal_scale

VALUES = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@pytest.mark.parametrize("run", [lambda step: step(), lambda step: tf.function(step)()])
@pytest.mark.parametrize("scale", [0.0, 0.25, 1.0])
def test_gradient_is_reversed_and_scaled(run, scale):
    layer = GradientReversal()
    layer.build(VALUES.shape)
    layer.scale.assign(scale)
    x = tf.constant(VALUES)

    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, x)

    y, gradient = run(step)
    np.testing.assert_array_equal(y, VALUES)
    np.testing.assert_allclose(gradient, -2 * scale * VALUES, rtol=1e-6)


def test_scale_is_not_trained_and_is_saved(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, GradientReversal(name="reversal")(inputs))
    assert model.trainable_weights == []
    model.get_layer("reversal").scale.assign(0.75)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.get_layer("reversal").scale) == 0.75
    np.testing.assert_array_equal(loaded(VALUES), VALUES)


def test_scale_grows_from_nothing_to_almost_one():
    scales = [reversal_scale(progress) for progress in np.linspace(0, 1, 11)]
    assert scales[0] == 0
    assert scales == sorted(scales)
    assert scales[1] == pytest.approx(np.tanh(0.5))
    assert 0.9999 < scales[-1] < 1


def test_schedule_sets_the_scale_before_each_step():
    seen = []
    layer = GradientReversal()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(inputs)))
    model.compile("sgd", "mse")
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(layer.scale))
    )
    schedule = ReversalSchedule(layer, steps=4)
    model.fit(VALUES[:2], np.ones((2, 1)), 1, epochs=2, callbacks=[schedule, watch], verbose=0)
    assert seen == pytest.approx([reversal_scale(step / 4) for step in range(4)])
