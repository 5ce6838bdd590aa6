"""A folded model that computes something else than the model is not returned."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import fold
from keras_bin.export.folding.fold import check_folded
from keras_bin.export.results.errors import ValuesError
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, HALF_KINDS, KINDS, bin_model
from tests.export.values import layers_of


@pytest.mark.parametrize("kind", ["functional", "masked", "dicts", "fixed_batch", "operations"])
@pytest.mark.parametrize("name", ["offset", "bias"])
def test_changed_weight_of_a_folded_model_is_found(kind, name):
    model = KINDS[kind]()
    folded = fold(model)
    check_folded(model, folded)
    weight = [weight for weight in folded.weights if weight.name in (name, "offset")][-1]
    weight.assign(weight + 3.0)
    with pytest.raises(ValuesError, match=rf"Received: model '{model.name}'") as caught:
        check_folded(model, folded)
    assert "by up to " in caught.value.differences[0]


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_may_round_but_not_be_wrong(kind):
    model = HALF_KINDS[kind]()
    folded = fold(model)
    check_folded(model, folded)
    weight = next(weight for weight in folded.weights if weight.name == "offset")
    weight.assign(weight + 3.0)
    with pytest.raises(ValuesError):
        check_folded(model, folded)


class Counting(layers.Layer):
    """Counts its calls, and draws a number that it does not use."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(1)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign(self.calls + 1)
        return inputs + 0 * keras.random.uniform((), seed=self.seeds)


def test_models_are_left_in_the_state_that_they_had():
    model = around(Counting(), BIN())
    model.layers[1].calls.assign(5)
    before = [np.array(variable) for variable in model.variables]
    folded = fold(model)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)
    assert float(folded.layers[1].calls) == 5
    np.testing.assert_array_equal(
        folded.layers[1].seeds.state.numpy(), model.layers[1].seeds.state.numpy()
    )


@pytest.mark.parametrize("rho_tolerance", [0.0, 0.25])
def test_gates_that_are_clipped_and_moved_are_no_difference(rho_tolerance):
    model = bin_model()
    model.get_layer("bin").rho.assign([-3.0, 0.1, 4.0])
    fold(model, rho_tolerance)
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.array([-3.0, 0.1, 4.0], "float32"))


class Noise(layers.Layer):
    """Adds noise in inference too, from Keras's seeds or from TensorFlow's."""

    def __init__(self, of_keras, **kwargs):
        super().__init__(**kwargs)
        self.of_keras = of_keras
        self.seeds = keras.random.SeedGenerator()

    def call(self, inputs):
        if self.of_keras:
            return inputs + keras.random.normal(ops.shape(inputs), seed=self.seeds)
        import tensorflow as tf

        return inputs + tf.random.normal(tf.shape(inputs))


class OtherBatches(layers.Layer):
    """Runs on seven rows only."""

    def call(self, inputs):
        return ops.reshape(inputs, (7, -1))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Noise(True),
        lambda: Noise(False),
        lambda: layers.Lambda(lambda x: ops.log(-ops.abs(x) - 1)),
        OtherBatches,
    ],
    ids=["Keras's seeds", "TensorFlow's seeds", "not finite", "does not run"],
)
def test_what_cannot_be_compared_is_folded(layer):
    model = around(BIN(), layer())
    assert len(layers_of(fold(model), Folded)) == 1


def test_text_is_folded_around():
    inputs = keras.Input((4,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    x = layers.Embedding(3, 3, embeddings_initializer="normal")(lookup(inputs))
    folded = fold(randomize(keras.Model(inputs, BIN()(x))))
    assert len(layers_of(folded, Folded)) == 1


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_whole_numbers_are_compared(dtype):
    model = around(BIN(), layers.Lambda(lambda x: ops.cast(ops.argmax(x, -1), dtype)))
    folded = fold(model)
    (layer,) = layers_of(folded, Folded)
    layer.offset.assign([9.0, 0.0, 0.0])
    with pytest.raises(ValuesError, match="by up to"):
        check_folded(model, folded)
