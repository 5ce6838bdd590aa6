"""Copies of a model for inference: what they keep, what they change, and what they share."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.folding.copying import copy_model, copy_own_state
from keras_bin.keras_internals import all_layers
from tests.export.custom_layers import HidesBIN, around
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, bin_model, classifier
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


def test_gates_are_clipped_and_moved_in_the_copy_alone():
    model = bin_model()
    model.get_layer("bin").rho.assign([-0.5, 0.9, 0.4])
    rho = copy_model(model, rho_tolerance=0.125).get_layer("bin").rho
    np.testing.assert_array_equal(rho, np.array([0, 1, 0.4], "float32"))
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.array([-0.5, 0.9, 0.4], "float32"))


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


def test_rho_that_is_not_finite_is_refused_with_its_path():
    model = around(HidesBIN())
    (hidden,) = layers_of(model, BIN)
    hidden.rho.assign([0, np.inf, 1])
    with pytest.raises(ValueError, match=r"`rho` must be finite.*/rho=\[ *0. inf"):
        copy_model(model)


@pytest.mark.parametrize("training", [None, False], ids=str)
def test_dropout_that_is_called_in_training_does_nothing_as_under_predict(training):
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, layers.Dropout(0.5)(BIN()(inputs), training=True))
    (x,) = arrays(model, 2)
    np.testing.assert_array_equal(
        copy_model(model)(x, training=training), model.predict(x, verbose=0)
    )


def test_own_state_is_copied_without_that_of_inner_layers():
    source, target = (layers.TimeDistributed(layers.Dense(2)) for _ in range(2))
    for layer in (source, target):
        layer.build((None, 3, 4))
    before = np.array(target.layer.kernel)
    copy_own_state(source, target)
    np.testing.assert_array_equal(target.layer.kernel, before)
    copy_own_state(source.layer, target.layer)
    np.testing.assert_array_equal(target.layer.kernel, source.layer.kernel)


def test_assets_are_copied():
    source, target = layers.StringLookup(), layers.StringLookup()
    source.adapt(["b", "a", "b"])
    copy_own_state(source, target)
    assert target.get_vocabulary() == ["[UNK]", "b", "a"]
