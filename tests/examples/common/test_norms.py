"""The four normalizations: what they compute, and which of their weights learn."""

import keras
import numpy as np
import pytest

import keras_bin
from common.nets import build_cnn
from common.norms import NORMS, HalfMix


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(2, 3, (4, 5, 6, 3)).astype("float32")


def normalized(images, axes):
    mean, variance = images.mean(axes, keepdims=True), images.var(axes, keepdims=True)
    return (images - mean) / np.sqrt(variance + 1e-3)


@pytest.mark.parametrize(("norm", "rho"), [("BN", 1), ("IN", 0), ("BN+IN", 0.5), ("BIN", 1)])
def test_norm_mixes_batch_and_instance_statistics(images, norm, rho):
    expected = rho * normalized(images, (0, 1, 2)) + (1 - rho) * normalized(images, (1, 2))
    outputs = NORMS[norm].layer()(images, training=True)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)


def test_norms_take_the_same_arguments(images):
    for norm in NORMS.values():
        layer = norm.layer(name="norm", epsilon=1e-5, gamma_regularizer="l2", beta_regularizer="l2")
        layer(images)
        assert layer.epsilon == 1e-5
        assert len(layer.losses) == 2


def test_only_bin_learns_rho():
    weights = {}
    for norm, made in NORMS.items():
        layer = made.layer()
        layer.build((None, 5, 6, 3))
        weights[norm] = sorted(weight.name for weight in layer.trainable_weights)
    assert weights.pop("BIN") == ["beta", "gamma", "rho"]
    assert set(map(tuple, weights.values())) == {("beta", "gamma")}


def test_half_mix_keeps_rho_while_it_trains():
    model = build_cnn(NORMS["BN+IN"])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pictures = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    kernel = model.get_layer("conv1").kernel.numpy()
    model.fit(pictures, np.arange(8), verbose=0)
    assert np.any(model.get_layer("conv1").kernel.numpy() != kernel)
    for rho in keras_bin.rho_weights(model):
        np.testing.assert_array_equal(rho, 0.5)


def test_half_mix_is_saved_and_loaded(images, tmp_path):
    model = keras.Sequential([keras.Input((5, 6, 3)), HalfMix()])
    model.save(tmp_path / "mix.keras")
    loaded = keras.saving.load_model(tmp_path / "mix.keras")
    assert isinstance(loaded.layers[0], HalfMix)
    assert not loaded.layers[0].rho.trainable
    np.testing.assert_array_equal(loaded(images), model(images))
