"""BatchInstanceNormalization at the ends of rho: the layers of Keras that it lies between."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

import keras_bin
from testing import reference
from tests import cases
from tests.gradients import differentiated

MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
SHAPES_AND_AXES = [((4, 6, 3), -1), ((3, 5, 4, 2), -1), ((3, 5, 4, 2), 1), ((2, 3, 4, 2, 5), 2)]
SHAPES = pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)


def batch_normalization(weights, shape, axis, **kwargs):
    layer = keras.layers.BatchNormalization(axis=axis, **kwargs)
    layer.build(shape)
    layer.set_weights([w for name, w in weights._asdict().items() if name != "rho"])
    return layer


def value_and_gradients(layer, x, dy, **kwargs):
    """Returns output and gradients by input, gamma and beta."""

    def compute(x):
        y = layer(x, **kwargs)
        return ops.sum(y * ops.convert_to_tensor(dy)), y

    learned = (layer.gamma, layer.beta)
    y, gradients = differentiated(compute, learned, layer.non_trainable_variables)(x)
    return list(map(ops.convert_to_numpy, (y, *gradients)))


def assert_same_call(layer, other, x, rtol, **kwargs):
    dy = cases.random_input(x.shape, seed=1)
    ours, theirs = (value_and_gradients(each, x, dy, **kwargs) for each in (layer, other))
    for name, found, expected in zip(("y", "dx", "dgamma", "dbeta"), ours, theirs, strict=True):
        atol = max(1e-10, cases.KERAS_ERROR)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.usefixtures("float64")
@MODES
@SHAPES
def test_rho_one_equals_batch_normalization(shape, axis, training):
    weights = reference.random_weights(shape[axis])._replace(rho=np.ones(shape[axis]))
    x, settings = cases.random_input(shape, axis), {"epsilon": 1e-4, "momentum": 0.7}
    layer = cases.make_layer(weights, shape, axis, **settings)
    other = batch_normalization(weights, shape, axis, **settings)
    assert_same_call(layer, other, x, 1e-10, training=training)
    for name in ("moving_mean", "moving_variance"):
        found, expected = (cases.numpy(getattr(each, name)) for each in (layer, other))
        np.testing.assert_allclose(
            found, expected, rtol=1e-12, atol=max(1e-12, cases.KERAS_ERROR), err_msg=name
        )


@pytest.mark.usefixtures("float64")
@MODES
@SHAPES
def test_rho_one_with_mask_equals_batch_normalization(shape, axis, training):
    weights = reference.random_weights(shape[axis])._replace(rho=np.ones(shape[axis]))
    x, mask = cases.random_input(shape, axis), np.ones(shape[:-1], bool)
    mask[0, shape[1] // 2 :] = False
    layer = cases.make_layer(weights, shape, axis)
    other = batch_normalization(weights, shape, axis)
    # Keras divides by the number of valid elements plus 1e-7.
    assert_same_call(layer, other, x, 1e-5, training=training, mask=mask)
    for name in ("moving_mean", "moving_variance"):
        found, expected = (cases.numpy(getattr(each, name)) for each in (layer, other))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0, err_msg=name)


@pytest.mark.usefixtures("float64")
@MODES
@SHAPES
def test_rho_zero_equals_instance_normalization(shape, axis, training):
    weights = reference.random_weights(shape[axis])._replace(rho=np.zeros(shape[axis]))
    x = cases.random_input(shape, axis)
    layer = cases.make_layer(weights, shape, axis, epsilon=1e-4)
    other = keras.layers.GroupNormalization(groups=-1, axis=axis, epsilon=1e-4)
    other.build(shape)
    other.set_weights([weights.gamma, weights.beta])
    assert_same_call(layer, other, x, 1e-10, training=training)


@pytest.mark.usefixtures("float64")
def test_one_sample_mixes_nothing_in_training():
    """With one sample both branches are the same, so the output does not depend on rho."""
    weights, x = reference.random_weights(3), cases.random_input((1, 5, 4, 3))
    result = cases.run(cases.make_layer(weights, x.shape), x, np.ones_like(x))
    zero = cases.make_layer(weights._replace(rho=np.zeros(3)), x.shape)
    np.testing.assert_allclose(result.y, cases.numpy(zero(x, training=True)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.gradients.drho, 0, rtol=0, atol=1e-12)


def test_arguments_are_those_of_batch_normalization_and_then_those_of_rho():
    own, theirs = (
        inspect.signature(cls.__init__).parameters
        for cls in (keras_bin.BatchInstanceNormalization, keras.layers.BatchNormalization)
    )
    # Batch renormalization, an option of newer versions of Keras, has no counterpart here.
    shared = [name for name in theirs if not name.startswith("renorm")]
    rho = ["rho_initializer", "rho_regularizer", "rho_constraint", "kwargs"]
    assert list(own) == [*shared[:-1], *rho]
    defaults = {name: theirs[name].default for name in shared}
    assert {name: own[name].default for name in shared} == defaults


def test_fit_follows_batch_normalization_while_rho_is_one():
    """A net in which one word was swapped trains alike, if rho stays where it starts."""
    images, labels = cases.random_input((32, 6, 6, 2)).astype("float32"), np.arange(32) % 3
    histories = []
    for make in (keras.layers.BatchNormalization, keras_bin.BatchInstanceNormalization):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6, 6, 2))
        x = keras.layers.Conv2D(4, 3)(inputs)
        layer = make(momentum=0.8)
        x = keras.layers.ReLU()(layer(x))
        model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
        if hasattr(layer, "rho"):
            layer.rho.trainable = False
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05), loss)
        fitted = model.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
        histories.append([*fitted.history["loss"], model.evaluate(images, labels, verbose=0)])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-4, atol=1e-5)
