"""Normalization layers: which of them a model calls, and which can become constants."""

import keras
import pytest
from keras import layers

from keras_bin.networks.normalizations import is_foldable, normalizations_of
from tests.export.custom_layers import Branch, Rectified
from tests.export.kinds import BIN, IMAGE

BN = layers.BatchNormalization


def test_normalizations_are_listed_once_in_order_without_those_inside_layers():
    shared, inputs = BN(name="shared"), keras.Input(IMAGE)
    inner = keras.Sequential([keras.Input(IMAGE), BIN(name="inner")])
    x = Branch()(shared(BIN(name="first")(shared(inputs))))
    model = keras.Model(inputs, inner(x))
    assert [layer.name for layer in normalizations_of(model)] == ["shared", "first", "inner"]


@pytest.mark.parametrize(
    ("make", "foldable"),
    [(BN, True), (BIN, True), (Rectified, False), (layers.LayerNormalization, False)],
)
def test_layers_that_do_not_override_call_are_foldable_once_built(make, foldable):
    layer = make()
    assert not is_foldable(layer)
    layer.build((None, *IMAGE))
    assert is_foldable(layer) == foldable


@pytest.mark.parametrize("normalization", [BN, BIN])
def test_layer_whose_call_was_replaced_is_not_foldable(normalization):
    layer = normalization()
    layer.build((None, *IMAGE))
    layer.call = lambda inputs, training=None, mask=None: 2 * inputs
    assert not is_foldable(layer)
