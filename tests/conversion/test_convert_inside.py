"""Conversion of layers inside custom layers and subclassed models, by how these are held."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_bin
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.folding.inside import FORMS, Bare, Net, net
from tests.export.kinds import BIN, IMAGE
from tests.export.values import arrays, layers_of, snapshot

BN = layers.BatchNormalization
# They hold a layer that nothing calls.
SPARE = ("never called", "wrapped own")


def outputs(model, values):
    return [ops.convert_to_numpy(y) for y in keras.tree.flatten(model(values, training=False))]


def warned(message):
    return pytest.warns(UserWarning, match=message)


@pytest.mark.parametrize("form", FORMS)
def test_layers_are_found_there_and_back(form):
    make, _ = FORMS[form]
    source = randomize(make(), rho=1.0)
    built = sum(layer.built for layer in layers_of(source, BIN))
    with warned("spare': it is not built") if form in SPARE else contextlib.nullcontext():
        reverted = keras_bin.revert_to_batch_normalization(source)
    before = snapshot(reverted)
    with warned("in inference mode only.*spare") if form in SPARE else contextlib.nullcontext():
        converted = keras_bin.convert_batch_normalization(reverted)
    assert len(layers_of(reverted, BN)) == built
    assert sum(layer.built for layer in layers_of(converted, BIN)) == built
    assert not layers_of(converted, BN)
    for path, value in snapshot(reverted).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    (values,) = arrays(source, 4) if hasattr(source, "inputs") else [np.ones((4, *IMAGE))]
    for model in (reverted, converted):
        for got, expected in zip(outputs(model, values), outputs(source, values), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def batch_normalized(make=Net):
    return keras_bin.revert_to_batch_normalization(randomize(net(make), rho=1.0))


def test_subclassed_model_keeps_its_class_and_trains():
    source = batch_normalized()
    converted = keras_bin.convert_batch_normalization(source, rho=0.5)
    assert type(converted) is Net
    before = snapshot(source)
    converted.compile("sgd", "mse")
    x, y = np.random.default_rng(0).normal(size=(4, *IMAGE)), np.ones((4, *IMAGE[:2], 2))
    with pytest.warns(keras_bin.UnscaledRhoWarning, match="make BINModel the base class of Net"):
        history = converted.fit(x, y, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]
    assert all(ops.any(layer.rho != 0.5) for layer in layers_of(converted, BIN))
    for path, value in snapshot(source).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_subclassed_model_becomes_part_of_a_model_of_the_class_that_is_asked_for():
    source = batch_normalized(Bare)
    converted = keras_bin.convert_batch_normalization(source, model_class=keras_bin.BINModel)
    assert isinstance(converted, keras_bin.BINModel)
    x = np.random.default_rng(0).normal(size=(4, *IMAGE)).astype("float32")
    for got, expected in zip(outputs(converted, x), outputs(source, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


class Counts(layers.Layer):
    """A layer that relies on how many weights its normalization has."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = BN(name="norm")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs):
        gamma, beta, mean, variance = self.norm.weights
        return gamma * (inputs - mean) / ops.sqrt(variance + self.norm.epsilon) + beta


def test_layers_that_their_owner_uses_otherwise_are_left_with_the_reason():
    source = around(Counts(), BN(name="outer"))
    with pytest.warns(UserWarning, match=r"counts/norm': the layer that contains it does more"):
        converted = keras_bin.convert_batch_normalization(source)
    assert [layer.name for layer in layers_of(converted, BIN)] == ["outer"]
    assert [layer.name for layer in layers_of(converted, BN)] == ["norm"]


def test_nothing_is_converted_if_all_is_used_otherwise():
    with pytest.raises(ValueError, match=r"counts/norm': the layer that contains it does more"):
        keras_bin.convert_batch_normalization(around(Counts(name="counts")))


def test_depth_counts_what_is_converted():
    source = around(BN(name="first"), Counts(), BN(name="last"))
    with pytest.warns(UserWarning, match="does more"):
        converted = keras_bin.convert_batch_normalization(source, lambda layer, depth: depth)
    assert [layer.get_weights()[2][0] for layer in layers_of(converted, BIN)] == [0.0, 1.0]


OUTSIDE = BN(name="outside")


class CallsGlobal(layers.Layer):
    def call(self, inputs):
        return OUTSIDE(inputs)


def test_layer_that_only_a_global_name_leads_to_stays_in_both_models():
    source = randomize(around(BN(), CallsGlobal()))
    randomize(keras.Sequential([keras.Input(IMAGE), OUTSIDE]))
    converted = keras_bin.convert_batch_normalization(source)
    assert len(layers_of(converted, BIN)) == 1
    OUTSIDE.gamma.assign([5.0, 6.0, 7.0])
    (values,) = arrays(source, 4)
    for got, expected in zip(outputs(converted, values), outputs(source, values), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_function_over_a_layer_of_the_model_is_refused():
    inputs = keras.Input(IMAGE)
    norm = BN(name="norm")
    x = layers.Lambda(lambda y: norm(y), name="again")(norm(inputs))
    model = randomize(keras.Model(inputs, x))
    with pytest.raises(ValueError, match=r"(?s)uses the weights of \['norm'\] and differs in"):
        keras_bin.convert_batch_normalization(model)
