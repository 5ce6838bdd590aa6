"""rho in half precision, in which a step that is lengthened afterwards would be rounded away."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from testing.small_net import batch
from tests.replicas import two_replicas
from tests.training.test_model import LOSS

HALVES = pytest.mark.parametrize("half", ["float16", "bfloat16"])


def gates_after_steps(half, optimizer, steps=2):
    """Returns how far the gates of a net in half precision get from 0.75."""
    keras.config.set_dtype_policy(half)
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2))
    rho_initializer = keras.initializers.Constant(0.75)
    x = keras_bin.BatchInstanceNormalization(rho_initializer=rho_initializer)(inputs)
    x = keras.layers.Flatten()(keras.layers.Activation("gelu")(x))
    model = keras_bin.BINModel(inputs, keras.layers.Dense(3)(x))
    optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice
    model.compile(optimizer, LOSS(from_logits=True))
    data = tf.data.Dataset.from_tensors(batch()).repeat(steps)
    model.fit(data, shuffle=False, verbose=0)
    return keras_bin.rho_weights(model)[0].numpy().astype("float32") - 0.75


@functools.cache
def gates_under_sgd(half, settings):
    return gates_after_steps(half, keras.optimizers.SGD(0.01, **dict(settings)))


@HALVES
@pytest.mark.parametrize(
    "settings",
    [
        {"clipnorm": 1e3},
        {"clipvalue": 1e3},
        {"global_clipnorm": 1e3},
        {"clipnorm": 1e3, "momentum": 0.9},
        {"clipnorm": 1e3, "gradient_accumulation_steps": 2},
        {"clipnorm": 1e3, "use_ema": True, "ema_overwrite_frequency": 3},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_clipping_that_never_bites_leaves_the_steps(settings, half):
    plain = tuple((name, value) for name, value in settings.items() if "clip" not in name)
    expected = gates_under_sgd(half, plain)
    assert np.abs(expected).max() > 2e-3
    np.testing.assert_array_equal(gates_under_sgd(half, tuple(settings.items())), expected)


@HALVES
@pytest.mark.parametrize(
    "name",
    [
        *("Adam", "AdamW", "Adamax"),
        pytest.param(
            "Nadam", marks=pytest.mark.lacking("torch", reason="Keras's Nadam fails in bfloat16")
        ),
    ],
)
def test_relatives_of_adam_step_ten_times_as_far(name, half):
    optimizer = getattr(keras.optimizers, name)(1e-3, beta_2=0.9)
    step = gates_after_steps(half, optimizer, steps=1)
    # 0.01, to the nearest neighbours of 0.75; bfloat16 has them at distances of 0.004.
    np.testing.assert_allclose(np.abs(step), 0.01, rtol=0, atol=3e-3)


@pytest.mark.tensorflow
def test_replicas_lengthen_a_step_once():
    steps = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        with strategy.scope():
            steps.append(gates_after_steps("bfloat16", keras.optimizers.Lion(1e-3), steps=1))
    np.testing.assert_allclose(np.abs(steps), 0.01, rtol=0, atol=3e-3)
