"""Loops of one's own on a backend other than TensorFlow, beside BINModel."""

import functools
import warnings

import keras
import numpy as np
import pytest

import keras_bin
from testing.small_net import batch

STEPS = 3
OPTIMIZERS = {
    "AdamW": lambda: keras.optimizers.AdamW(1e-3, weight_decay=0.1),
    "averaged": lambda: keras.optimizers.Adam(1e-3, use_ema=True, ema_overwrite_frequency=2),
    "accumulated": lambda: keras.optimizers.Adam(1e-3, gradient_accumulation_steps=2),
    "loss scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)),
}


def small_model():
    """Builds a net that compiles in less time than that of `small_net`."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2))
    half = keras.initializers.Constant(0.5)
    x = keras_bin.BatchInstanceNormalization(rho_initializer=half)(inputs)
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    return keras_bin.BINModel(inputs, outputs, rho_gradient_scale=10.0)


def loss_of(labels, logits):
    return keras.ops.mean(
        keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    )


def jax_loop(model, optimizer, scaled):
    """Trains by Keras's stateless functions; unscaled, by those of Keras alone."""
    import jax

    optimizer.build(model.trainable_variables)
    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    trainable, others, state = ([variable.value for variable in each] for each in groups)

    def loss(trainable, others, images, labels):
        logits, others = model.stateless_call(trainable, others, images, training=True)
        return optimizer.scale_loss(loss_of(labels, logits)), others

    @jax.jit
    def step(trainable, others, state, images, labels):
        gradients, others = jax.grad(loss, has_aux=True)(trainable, others, images, labels)
        if scaled:
            trainable, state = keras_bin.stateless_apply(optimizer, state, gradients, trainable)
        else:
            trainable, state = optimizer.stateless_apply(state, gradients, trainable)
        return trainable, others, state

    for _ in range(STEPS):
        trainable, others, state = step(trainable, others, state, *batch())
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)


def torch_loop(model, optimizer, scaled):
    """Trains by `backward`; unscaled, by Keras's `apply` alone."""
    import torch

    images, labels = map(torch.tensor, batch())
    for _ in range(STEPS):
        model.zero_grad()
        loss = optimizer.scale_loss(loss_of(labels, model(images, training=True)))
        loss.backward()
        variables = model.trainable_variables
        gradients = [variable.value.grad for variable in variables]
        if scaled:
            keras_bin.apply_gradients(optimizer, zip(gradients, variables, strict=True))
        else:
            optimizer.apply(gradients, variables)


def looped(model, optimizer, scaled=True):
    """Trains a model in a loop of one's own; returns it."""
    {"jax": jax_loop, "torch": torch_loop}[keras.backend.backend()](model, optimizer, scaled)
    return model


def fitted(model, optimizer):
    """Trains a model by its own training step; returns it."""
    model.compile(optimizer, loss_of)
    for _ in range(STEPS):
        model.train_on_batch(*batch())
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loop_trains_as_the_model(name):
    steps = [
        np.array(keras_bin.rho_weights(train(small_model(), OPTIMIZERS[name]()))[0]) - 0.5
        for train in (fitted, looped)
    ]
    assert np.abs(steps[0]).max() > 5e-3
    # rho near 0.5 resolves steps to 6e-8.
    np.testing.assert_allclose(*steps, rtol=1e-4, atol=6e-7)


@pytest.mark.parametrize(
    "train",
    [
        lambda model, optimizer: fitted(keras.Model(model.input, model.output), optimizer),
        functools.partial(looped, scaled=False),
    ],
    ids=["keras.Model", "loop"],
)
def test_unscaled_steps_are_said_once(train):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(small_model(), OPTIMIZERS["AdamW"]())
    assert sum(each.category is keras_bin.UnscaledRhoWarning for each in caught) == 1
