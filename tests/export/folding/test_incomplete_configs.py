"""Models whose configs are incomplete are folded as they are."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import fold
from testing.weights import randomize
from tests.export.custom_layers import Sloped, around, sloped
from tests.export.kinds import BIN, IMAGE
from tests.export.values import assert_same, layers_of, snapshot


class Set(keras.Model):
    """What it computes was set after it was made."""

    def __init__(self):
        super().__init__()
        self.norm = BIN()
        self.factor = 1.0

    def call(self, inputs):
        return self.factor * self.norm(inputs)


class Forgetful(layers.Layer):
    def __init__(self, power, norm=None, **kwargs):
        super().__init__(**kwargs)
        self.power = power
        self.norm = norm

    def call(self, inputs):
        y = ops.abs(inputs) ** self.power
        return y if self.norm is None else self.norm(y)

    def get_config(self):
        return {**super().get_config(), "power": 1}


def set_later():
    model = Set()
    model(np.zeros((1, *IMAGE), "float32"))
    model.factor = 7.0
    return randomize(model)


INCOMPLETE = {
    "default argument": lambda: randomize(sloped()),
    "default argument, inside": lambda: around(Sloped(slope=0.9)),
    "set later": set_later,
    "config that lies": lambda: around(Forgetful(2), BIN()),
    "config that lies, around BIN": lambda: around(Forgetful(2, BIN())),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_what_a_config_does_not_say_is_kept(name):
    model = INCOMPLETE[name]()
    before = snapshot(model)
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == 1
    assert_same(folded, model)
    for weight in folded.weights:
        weight.assign(weight * 0 + 7)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
