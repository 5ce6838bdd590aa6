"""Conversion of whole models: what is kept, and that the function stays the same."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_bin
from keras_bin.keras_internals import all_layers
from testing.weights import randomize
from tests.cases import KERAS_ERROR
from tests.export.kinds import BIN, KINDS, of_policy
from tests.export.values import arrays, layers_of, predict, snapshot

BN = layers.BatchNormalization


def batch_normalized(kind):
    """A model of a kind, with batch normalization in place of BIN."""
    model = randomize(KINDS[kind](), rho=1.0)
    return keras_bin.revert_to_batch_normalization(model) if layers_of(model, BIN) else model


def in_float64(kind):
    return of_policy(lambda: batch_normalized(kind), "float64")


def train_once(model, values):
    """Outputs in training mode, and the moving statistics after them."""
    keras.utils.set_random_seed(1)
    inputs = keras.tree.pack_sequence_as(model.input, values)
    outputs = keras.tree.flatten(model(inputs, training=True))
    statistics = [
        weight
        for layer in all_layers(model)
        if isinstance(layer, (BN, BIN))
        for weight in (layer.moving_mean, layer.moving_variance)
    ]
    return [keras.ops.convert_to_numpy(each) for each in (*outputs, *statistics)]


def assert_near(got, expected, share):
    """Checks that arrays differ by at most a share of the largest value."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=share * np.abs(expected).max(initial=0))


# With a mask, Keras's batch normalization divides by the number of elements plus 1e-7.
MASKED = ("masked", "mask_as_argument")
EXACT = max(1e-12, KERAS_ERROR)


@pytest.mark.parametrize("kind", KINDS)
def test_function_stays_the_same_in_inference_and_in_training(kind):
    source = in_float64(kind)
    before = snapshot(source)
    converted = keras_bin.convert_batch_normalization(source)
    assert not layers_of(converted, BN)
    assert isinstance(converted, keras_bin.BINModel)
    assert converted.name == source.name
    assert not converted.compiled
    assert {tensor.dtype for tensor in converted.outputs} == {t.dtype for t in source.outputs}
    assert [tensor.name for tensor in converted.inputs] == [tensor.name for tensor in source.inputs]
    assert [t.shape for t in converted.inputs] == [t.shape for t in source.inputs]
    values = arrays(source, 4)
    for got, expected in zip(predict(converted, values), predict(source, values), strict=True):
        assert_near(got, expected, EXACT)
    for path, value in snapshot(source).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    trained = zip(train_once(converted, values), train_once(source, values), strict=True)
    for got, expected in trained:
        assert_near(got, expected, max(1e-7, EXACT) if kind in MASKED else EXACT)
