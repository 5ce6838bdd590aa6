"""Deep copies of custom layers: what they share, what they keep, and that they still work."""

import threading

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_bin
from keras_bin.export import fold
from keras_bin.keras_internals import all_layers
from keras_bin.networks.copying import copy_model
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE
from tests.export.values import predict
from tests.keras_versions import needs_keras


class Everything(layers.Layer):
    """Holds what a layer can hold besides layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lock = threading.Lock()
        self.table = {"shape": (1, 2), "dtype": self.compute_dtype}
        self.constant = np.arange(3.0)
        self.metric = keras.metrics.Mean(name="seen")
        self.dropout = layers.Dropout(0.5)
        self.blocks = [[layers.Dense(3, name="same")], {"other": layers.Dense(3, name="same")}]
        self.alias = self.blocks[0][0]

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(3,), initializer="normal", name="factor")
        for dense in (self.blocks[0][0], self.blocks[1]["other"]):
            dense.build(input_shape)

    def call(self, inputs, training=None):
        self.last = inputs  # a symbol of the graph that Keras traces, in which it stays
        x = self.dropout(self.blocks[0][0](inputs), training=training)
        return (self.alias(x) + self.blocks[1]["other"](x)) * self.factor + ops.cast(
            self.constant, x.dtype
        )


def copied(layer):
    return copy_model(around(layer)).layers[1]


def test_copy_holds_its_own_objects_in_the_places_of_the_source():
    layer = Everything()
    copy = copied(layer)
    assert copy.alias is copy.blocks[0][0]
    assert copy.alias is not layer.alias
    assert copy.blocks[1]["other"] is not layer.blocks[1]["other"]
    assert copy.table["shape"] == (1, 2)
    assert copy.lock is layer.lock
    assert copy.metric is not layer.metric
    assert [each.name for each in all_layers(copy)] == [each.name for each in all_layers(layer)]
    assert [weight.path for weight in copy.weights] == [weight.path for weight in layer.weights]
    shared = {id(variable) for variable in copy.variables} & {id(each) for each in layer.variables}
    assert not shared


def train(model):
    model.compile("sgd", "mse")
    model.fit(np.ones((2, *IMAGE), "float32"), np.zeros((2, *IMAGE)), verbose=0)


def test_copy_takes_no_further_weights_and_can_be_trained():
    model = around(Everything(), BIN())
    folded = fold(model)
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        folded.layers[1].further = layers.Dense(2)
    before = [np.array(weight) for weight in model.weights]
    train(folded)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@needs_keras("3.15", "may leave out layers in lists of lists or dicts")
def test_trained_copy_can_be_saved(tmp_path):
    model = around(Everything(), BIN())
    folded, other = fold(model), fold(model)
    train(folded)
    folded.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    x = np.ones((2, *IMAGE), "float32")
    np.testing.assert_array_equal(other(x), folded(x))


def test_copy_of_a_trained_model_leaves_its_optimizer_alone():
    class Net(keras_bin.BINModel):
        def __init__(self):
            super().__init__()
            self.norm = BIN(rho_initializer=0.5)

        def call(self, inputs):
            return self.norm(inputs)

    model = Net()
    model.compile("adam", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(2, *IMAGE)).astype("float32")
    model.fit(x, x, verbose=0)
    optimizer = model.optimizer
    inner = fold(randomize(model)).layers[-1]
    assert (inner.compiled, model.compiled) == (False, True)
    assert inner.optimizer is None
    assert model.optimizer is optimizer
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        inner.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_precision_of_a_copy_is_single_everywhere(policy):
    keras.config.set_dtype_policy(policy)
    model = around(Everything())
    keras.config.set_dtype_policy("float32")
    copy = copy_model(model)
    assert {layer.compute_dtype for layer in all_layers(copy)} == {"float32"}
    assert {weight.dtype for weight in copy.weights} == {"float32"}
    for got, weight in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.array(got), np.array(weight).astype("float32"))
    (y,) = predict(copy, [np.ones((2, *IMAGE), "float32")])
    assert y.dtype == "float32"
