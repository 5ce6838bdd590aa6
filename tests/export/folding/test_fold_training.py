"""`training=True` in the graph of a model means nothing to `predict`, nor to the folded model."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export import fold, fold_report
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE


def images():
    return np.random.default_rng(0).normal(1.5, 2, (4, *IMAGE)).astype("float32")


def called_in_training(*stack):
    """A model that calls each layer with training=True."""
    x = inputs = keras.Input(IMAGE, name="image")
    for layer in stack:
        x = layer(x, training=True)
    return randomize(keras.Model(inputs, x))


def nested_in_training():
    inner = called_in_training(layers.BatchNormalization(), BIN(), layers.Dropout(0.5))
    return called_in_training(inner)


IN_TRAINING = {
    "BIN": lambda: called_in_training(BIN()),
    "batch normalization": lambda: called_in_training(layers.BatchNormalization()),
    "dropout": lambda: called_in_training(layers.Dropout(0.5), BIN()),
    "own layer": lambda: called_in_training(Follows(BIN())),
    "wrapper": lambda: called_in_training(layers.TimeDistributed(layers.BatchNormalization())),
    "nested": nested_in_training,
    "sequential": lambda: keras.Sequential([keras.Input(IMAGE), nested_in_training()]),
}


class Follows(layers.Layer):
    """Hands on what it is told of training."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm

    def call(self, inputs, training=None):
        return self.norm(inputs, training=training)


@pytest.mark.parametrize("training", [None, False], ids=str)
@pytest.mark.parametrize("name", IN_TRAINING)
def test_training_in_the_graph_is_what_predict_makes_of_it(name, training):
    model = IN_TRAINING[name]()
    expected = model.predict(images(), verbose=0)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        fold(model)(images(), training=training), expected, rtol=1e-5, atol=1e-5
    )
    assert "unfolded" not in {
        each.became for each in fold_report(model) if each.kind == BIN.__name__
    }
