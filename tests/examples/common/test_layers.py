"""Convolutions, normalizations and logits: the recipe of BIN's authors."""

import keras
import numpy as np
import pytest

import keras_bin
from common.layers import Layers
from common.norms import NORMS


def net(norm="BIN", weight_decay=0.0, size=3, strides=1, groups=1, filters=4):
    layers = Layers(NORMS[norm], weight_decay)
    inputs = keras.Input((9, 9, 4))
    x = layers.normalize(layers.convolve(inputs, filters, size, strides, groups))
    return keras.Model(inputs, layers.logits(x, 2))


def find(model, kind):
    (found,) = [layer for layer in model.layers if isinstance(layer, kind)]
    return found


@pytest.mark.parametrize(
    ("size", "strides", "expected"), [(1, 1, 9), (3, 1, 9), (5, 1, 9), (3, 2, 5), (1, 2, 5)]
)
def test_convolution_keeps_the_shape_up_to_its_strides(size, strides, expected):
    layer = find(net(size=size, strides=strides), keras.layers.Conv2D)
    assert layer.output.shape == (None, expected, expected, 4)
    assert not layer.use_bias


def test_kernels_start_with_the_variance_of_the_authors():
    keras.utils.set_random_seed(0)
    kernel = np.array(find(net(filters=256), keras.layers.Conv2D).kernel)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 256)), rel=0.05)
    assert np.abs(kernel).max() > 3 * kernel.std()


def test_activation_is_of_what_is_normalized():
    inputs = keras.Input((9, 9, 4))
    model = keras.Model(inputs, Layers(NORMS["BN"]).activate(inputs))
    x = np.random.default_rng(0).normal(5, 2, (8, 9, 9, 4)).astype("float32")
    y = np.array(model(x, training=True))
    np.testing.assert_allclose(
        y, np.maximum((x - x.mean((0, 1, 2))) / x.std((0, 1, 2)), 0), atol=1e-4
    )


def test_bias_decays_where_there_is_one():
    inputs = keras.Input((9, 9, 4))
    model = keras.Model(inputs, Layers(NORMS["BN"], 0.1).convolve(inputs, 4, 3, use_bias=True))
    layer = find(model, keras.layers.Conv2D)
    layer.kernel.assign(np.zeros(layer.kernel.shape))
    layer.bias.assign(np.full(4, 2.0))
    assert sum(map(float, model.losses)) == pytest.approx(0.05 * 4 * 4)


def test_groups_see_their_own_channels():
    layer = find(net(groups=2), keras.layers.Conv2D)
    assert layer.kernel.shape == (3, 3, 2, 4)


@pytest.mark.parametrize("norm", NORMS)
def test_epsilon_is_that_of_the_authors(norm):
    assert find(net(norm), type(NORMS[norm].layer())).epsilon == 1e-5


def test_weight_decay_is_its_gradient_on_everything_but_rho():
    model = net(weight_decay=0.1)
    norm = find(model, keras_bin.BatchInstanceNormalization)
    assert norm.rho_regularizer is None
    decayed = [w for w in model.trainable_weights if w is not norm.rho]
    assert len(decayed) == 5
    for weight in decayed:
        weight.assign(np.full(weight.shape, 2.0))
    expected = sum(0.05 * 4 * np.prod(weight.shape) for weight in decayed)
    assert sum(map(float, model.losses)) == pytest.approx(expected)


def test_no_weight_decay_adds_no_losses():
    assert net().losses == []
