"""The gates of a model: which ones are found, and in which order."""

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin.gates.finding import bin_layers


def bin_layer(name, value=1.0):
    initializer = keras.initializers.Constant(value)
    return keras_bin.BatchInstanceNormalization(name=name, rho_initializer=initializer)


def functional():
    inputs = keras.Input((8, 3))
    x = bin_layer("first")(inputs)
    x = keras.layers.Conv1D(5, 3, name="conv")(x)
    return keras.Model(inputs, bin_layer("second")(x))


def sequential():
    return keras.Sequential([keras.Input((8, 3)), bin_layer("first"), bin_layer("second")])


def nested():
    """The gate of the inner model lies between those of the outer one."""
    inner = keras.Sequential([keras.Input((8, 3)), bin_layer("inner")], name="nest")
    inputs = keras.Input((8, 3))
    x = inner(bin_layer("first")(inputs))
    return keras.Model(inputs, bin_layer("second")(x))


def shared():
    layer, inputs = bin_layer("first"), keras.Input((8, 3))
    x = bin_layer("second")(layer(inputs))
    return keras.Model(inputs, layer(x))


def shared_model():
    inner = keras.Sequential([keras.Input((8, 3)), bin_layer("inner")], name="nest")
    inputs = keras.Input((8, 3))
    return keras.Model(inputs, bin_layer("second")(inner(inner(inputs))))


def shared_across_models():
    """One layer that belongs to an inner model and to the outer one."""
    layer = bin_layer("first")
    inner = keras.Sequential([keras.Input((8, 3)), layer], name="nest")
    inputs = keras.Input((8, 3))
    return keras.Model(inputs, bin_layer("second")(inner(layer(inputs))))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = bin_layer("first")
        self.rest = [bin_layer("second"), bin_layer("third")]

    def call(self, inputs):
        return self.rest[1](self.rest[0](self.first(inputs)))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 8, 3)))
    return model


def alone():
    layer = bin_layer("alone")
    layer.build((None, 8, 3))
    return layer


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (functional, ["first", "second"]),
        (sequential, ["first", "second"]),
        (nested, ["first", "inner", "second"]),
        (shared, ["first", "second"]),
        (shared_model, ["inner", "second"]),
        (shared_across_models, ["first", "second"]),
        (subclassed, ["first", "second", "third"]),
        (alone, ["alone"]),
        (lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), []),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_gates_are_found_once_in_order(make, names):
    model = make()
    layers = bin_layers(model)
    assert [layer.name for layer in layers] == names
    assert [summary.layer for summary in keras_bin.rho_summary(model)] == [
        layer.path for layer in layers
    ]
    found = keras_bin.rho_weights(model)
    assert [id(rho) for rho in found] == [id(layer.rho) for layer in layers]


def test_gates_are_variables_that_follow_the_model():
    model = functional()
    rho = keras_bin.rho_weights(model)[1]
    model.get_layer("second").rho.assign(np.full(5, 0.25))
    np.testing.assert_array_equal(rho, np.full(5, 0.25))


def test_unbuilt_layers_have_no_gate():
    model = keras.Sequential([bin_layer("first"), bin_layer("second")])
    assert keras_bin.rho_weights(model) == []
    assert keras_bin.rho_summary(model) == []


@pytest.mark.parametrize(
    "function", [keras_bin.rho_weights, keras_bin.rho_summary, keras_bin.plot_rho]
)
@pytest.mark.parametrize("value", ["net.keras", [bin_layer("first")], 3.0], ids=repr)
def test_what_is_neither_model_nor_layer_is_refused(function, value):
    with pytest.raises(TypeError, match=r"must be a Keras model or layer; load a file.*Received"):
        function(value)
