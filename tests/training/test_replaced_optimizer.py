"""Another optimizer in a model that has trained, and an old one after weights were unfrozen."""

import re

import keras
import numpy as np
import pytest

import keras_bin
from testing.small_net import batch
from tests.keras_versions import needs_keras
from tests.training.test_loops import tiny_batch, tiny_model
from tests.training.test_model import LOSS, compiled, rho_of
from tests.training.test_rho_update import NEEDS_MULTI_OPTIMIZER

WAYS = pytest.mark.parametrize(
    "settings", [{}, {"run_eagerly": True}], ids=["compiled", "run eagerly"]
)


def adamw():
    """Returns an optimizer whose first step is 1e-3, and whose weight decay would undo any."""
    return keras.optimizers.AdamW(1e-3, weight_decay=100.0)


def loss_scaled():
    return keras.optimizers.LossScaleOptimizer(adamw())


def one_for_rho():
    optimizers = {"bin/rho": adamw()}
    by_path = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.0), optimizers)
    return keras.optimizers.MultiOptimizer(by_path)


@WAYS
@pytest.mark.parametrize("built", [True, False], ids=["built", "not built"])
@pytest.mark.parametrize(
    "make", [adamw, loss_scaled, pytest.param(one_for_rho, marks=NEEDS_MULTI_OPTIMIZER)]
)
def test_another_optimizer_steps_ten_times_as_far_without_decay(make, built, settings):
    model = tiny_model(10.0)
    model.compile(keras.optimizers.SGD(0.0), LOSS(from_logits=True), **settings)
    model.train_on_batch(*tiny_batch())
    model.optimizer = make()
    if built:
        model.optimizer.build(model.trainable_variables)
    model.train_on_batch(*tiny_batch())
    # Adam's epsilon takes a little off the steps of small gradients.
    np.testing.assert_allclose(np.abs(rho_of(model) - 0.5), 0.01, rtol=0.06)


@WAYS
def test_another_scale_counts_from_the_next_step(settings):
    model = compiled(1.0, keras.optimizers.Adam(1e-3), **settings)
    images, labels = batch()
    steps = []

    def next_scale(batch, logs):
        steps.append(rho_of(model))
        model.rho_gradient_scale = 10.0

    change = keras.callbacks.LambdaCallback(on_train_batch_end=next_scale)
    model.fit(images, labels, batch_size=8, callbacks=[change], verbose=0)
    np.testing.assert_allclose(np.abs(steps[0] - 0.5), 1e-3, rtol=0.06)
    # Adam's second step is as long as its first where the gradient keeps its sign.
    assert np.abs(steps[1] - steps[0]).max() > 5e-3


def test_ftrl_that_is_put_in_is_refused_at_the_next_step():
    model = compiled()
    model.train_on_batch(*batch())
    before = rho_of(model)
    model.optimizer = keras.optimizers.Ftrl()
    with pytest.raises(ValueError, match=r"Ftrl.*undone"):
        model.train_on_batch(*batch())
    np.testing.assert_array_equal(rho_of(model), before)


def error_after_unfreezing(model, part, optimizer, settings):
    """Trains a model with a part of it frozen, and returns what the optimizer raises afterwards."""
    part.trainable = False
    model.compile(optimizer, LOSS(from_logits=True), run_eagerly=True)
    model.train_on_batch(*tiny_batch())
    part.trainable = True
    model.compile(optimizer, LOSS(from_logits=True), **settings)
    with pytest.raises(ValueError, match="variable") as caught:
        model.train_on_batch(*tiny_batch())
    return re.sub("0x[0-9a-f]+", "address", str(caught.value))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(
            {}, id="compiled", marks=needs_keras("3.13", "cannot name variables in a graph's error")
        ),
        pytest.param({"run_eagerly": True}, id="run eagerly"),
    ],
)
@pytest.mark.parametrize("frozen", ["layer", "rho"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(0.1),
        adamw,
        lambda: keras.optimizers.Adam(use_ema=True),
        loss_scaled,
        pytest.param(one_for_rho, marks=NEEDS_MULTI_OPTIMIZER),
    ],
    ids=["SGD", "AdamW", "averaged", "loss scaled", "several"],
)
def test_old_optimizer_refuses_what_was_unfrozen_in_keras_words(make, frozen, settings):
    net = tiny_model(10.0)
    weights = net.get_weights()
    part = net.get_layer("bin") if frozen == "layer" else net.get_layer("bin").rho
    errors = []
    for model in (net, keras.Model(net.input, net.output)):
        model.set_weights(weights)
        errors.append(error_after_unfreezing(model, part, make(), settings))
    assert errors[0] == errors[1]


def test_what_is_no_optimizer_fails_as_in_keras():
    errors = []
    for model_class in (keras.Model, keras_bin.BINModel):
        inputs = keras.Input((4, 4, 3))
        model = model_class(inputs, keras.layers.BatchNormalization()(inputs))
        model.compile("sgd", "mse", run_eagerly=True)
        model.optimizer = "adam"
        with pytest.raises(AttributeError) as caught:
            model.fit(np.ones((2, 4, 4, 3)), np.ones((2, 4, 4, 3)), verbose=0)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]
