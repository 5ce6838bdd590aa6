"""What BINModel's training makes of rho on a backend other than TensorFlow."""

import warnings

import keras
import numpy as np
import pytest

import keras_bin
from testing.small_net import batch, build_model

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(1e-3),
    "AdamW": lambda: keras.optimizers.AdamW(1e-3, weight_decay=0.1),
    "averaged": lambda: keras.optimizers.Adam(1e-3, use_ema=True, ema_overwrite_frequency=2),
    "clipped": lambda: keras.optimizers.SGD(0.01, global_clipnorm=0.1),
}


def rho_of(model):
    return np.array(keras_bin.rho_weights(model)[0])


def compiled(optimizer, scale=10.0):
    model = build_model(scale)
    model.compile(optimizer, LOSS, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_first_step_is_scaled_and_training_learns(name):
    steps = []
    for scale in (1.0, 10.0):
        model = compiled(OPTIMIZERS[name](), scale)
        model.fit(*batch(), verbose=0)
        steps.append(rho_of(model) - 0.5)
    assert np.abs(steps[0]).max() > 1e-5
    # rho near 0.5 resolves steps to 6e-8, so smaller steps are scaled with that error.
    np.testing.assert_allclose(steps[1], 10 * steps[0], rtol=0.01, atol=6e-7)
    before = model.get_weights()
    losses = model.fit(*batch(), batch_size=16, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert not any(map(np.array_equal, before, model.get_weights()))


def test_history_records_the_gates_of_the_model():
    model = compiled(keras.optimizers.Adam(0.01))
    rho_history, after, means = keras_bin.RhoHistory(), [rho_of(model)], []
    for epoch in range(2):
        logged = model.fit(
            *batch(),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
            validation_data=batch(),
            callbacks=[rho_history],
        ).history
        after.append(rho_of(model))
        means += logged["rho/bin/mean"]
    np.testing.assert_array_equal(rho_history.rho["bin"], after)
    assert (after[1] != after[0]).any()
    assert means == [np.mean(gates.tolist()) for gates in after[1:]]


@pytest.mark.parametrize(
    ("rate", "settings", "beginnings"),
    [
        (0.01, {}, []),
        (1e-12, {}, ["rho has not moved"]),
        (0.01, {"batch_size": 1}, ["rho cannot learn "]),
    ],
    ids=["moves", "too slow", "one sample"],
)
def test_training_that_cannot_move_rho_is_said_once(rate, settings, beginnings):
    model = compiled(keras.optimizers.SGD(rate))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*batch(), epochs=2, verbose=0, **settings)
    said = [str(each.message)[:17] for each in caught if "rho" in str(each.message)]
    assert said == beginnings


def test_frozen_rho_stays_and_the_others_learn():
    model = build_model(10.0)
    layer = model.get_layer("bin")
    layer.rho.trainable = False
    model.compile(keras.optimizers.Adam(0.01), LOSS)
    before = layer.get_weights()
    model.fit(*batch(), verbose=0)
    triples = zip(layer.weights, before, layer.get_weights(), strict=True)
    changed = [weight.name for weight, old, new in triples if (old != new).any()]
    assert changed == ["gamma", "beta", "moving_mean", "moving_variance"]


class Branches(keras.layers.Layer):
    """A layer with batch normalization in a dict of lists."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.branches = {"a": [keras.layers.BatchNormalization()], "b": []}

    def call(self, inputs):
        return inputs + self.branches["a"][0](inputs)


def test_converted_model_computes_the_same_and_leaves_its_source_alone():
    images, labels = batch()
    inputs = keras.Input(images.shape[1:])
    x = keras.layers.BatchNormalization()(Branches()(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    source = keras.Model(inputs, keras.layers.Dense(3)(x))
    source(images, training=True)
    converted = keras_bin.convert_batch_normalization(source)
    assert [rho.shape for rho in keras_bin.rho_weights(converted)] == [(2,), (2,)]
    for training in (False, True):
        found, expected = (
            np.array(each(images, training=training)) for each in (converted, source)
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    before = source.get_weights()
    converted.compile("adam", LOSS)
    converted.fit(images, labels, verbose=0)
    assert all(map(np.array_equal, before, source.get_weights()))
