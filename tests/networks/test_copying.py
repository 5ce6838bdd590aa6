"""Copies of a model for inference: what they keep, what they change, and what they share."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.keras_internals import all_layers
from keras_bin.networks.copying import copy_model
from tests.export.custom_layers import around
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, classifier
from tests.export.values import arrays, layers_of, predict, snapshot


@pytest.mark.parametrize("kind", ["nested_twice", "shared_across_models", "dicts", "recurrent"])
def test_copy_computes_the_same_to_the_last_digit(kind):
    model = KINDS[kind]()
    values = arrays(model, 3)
    copy = copy_model(model)
    for got, expected in zip(predict(copy, values), predict(model, values), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(layers_of(copy, BIN)) == len(layers_of(model, BIN))


def test_copy_shares_no_weight_with_its_source():
    model = classifier()
    before = snapshot(model)
    for weight in copy_model(model).weights:
        weight.assign(weight * 0 + 7)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_becomes_float32(kind):
    copy = copy_model(HALF_KINDS[kind]())
    assert {layer.compute_dtype for layer in all_layers(copy)} == {"float32"}
    assert {tensor.dtype for tensor in copy.inputs} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_layer_that_was_held_and_never_called_is_no_obstacle():
    class Spare(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.spare = BIN()

        def build(self, input_shape):
            pass

        def call(self, inputs):
            return 2 * inputs

    model = around(Spare(), BIN())
    values = arrays(model, 3)
    np.testing.assert_array_equal(predict(copy_model(model), values)[0], predict(model, values)[0])


class Plain(layers.Layer):
    """A layer whose constructor takes nothing, as in many a tutorial."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, inputs):
        return self.dense(inputs)


def test_layer_whose_constructor_takes_nothing_is_copied_with_its_precision():
    keras.config.set_dtype_policy("float64")
    model = around(Plain(), BIN())
    keras.config.set_dtype_policy("float32")
    copy = copy_model(model)
    assert {weight.dtype for weight in copy.weights} == {"float64"}
    assert copy.layers[1].name == model.layers[1].name
    values = arrays(model, 3)
    np.testing.assert_array_equal(predict(copy, values)[0], predict(model, values)[0])
    assert keras.config.dtype_policy().name == "float32"


def test_lambda_keeps_its_arguments_and_its_mask():
    scaled = layers.Lambda(
        lambda x, factor: factor * x,
        arguments={"factor": 3},
        mask=lambda x, mask=None: x[..., 0] > 1,
    )
    model = around(scaled, layers.GlobalAveragePooling1D(), shape=(6, 4))
    values = arrays(model, 3)
    copy = copy_model(model)
    np.testing.assert_array_equal(predict(copy, values)[0], predict(model, values)[0])
    assert layers_of(copy, layers.Lambda)[0].mask is scaled.mask


@pytest.mark.parametrize("training", [None, False], ids=str)
def test_dropout_that_is_called_in_training_does_nothing_as_under_predict(training):
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, layers.Dropout(0.5)(BIN()(inputs), training=True))
    (x,) = arrays(model, 2)
    np.testing.assert_array_equal(
        copy_model(model)(x, training=training), model.predict(x, verbose=0)
    )
