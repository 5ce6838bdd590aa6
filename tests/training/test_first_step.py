"""When a BINModel builds its optimizer."""

import keras
import pytest

import keras_bin
from testing.small_net import batch, build_model
from tests.training.test_model import LOSS, compiled, rho_of

pytestmark = pytest.mark.tensorflow


def test_first_step_is_traced_once():
    """Keras makes the optimizer's variables in it, for which TensorFlow traces a second time."""
    traced = []

    class Watched(keras.layers.Layer):
        def call(self, inputs):
            traced.append(inputs)
            return inputs

    source = build_model(10.0)
    model = keras_bin.BINModel(source.input, Watched()(source.output))
    model.compile("adam", LOSS(from_logits=True))
    traced.clear()
    model.fit(*batch(), verbose=0)
    assert len(traced) == 1


def test_optimizer_of_a_frozen_model_is_built_when_it_trains():
    model = compiled()
    model.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        model.fit(*batch(), verbose=0)
    model.trainable = True
    model.compile(model.optimizer, LOSS(from_logits=True))
    before = rho_of(model)
    model.fit(*batch(), verbose=0)
    assert (rho_of(model) != before).all()
