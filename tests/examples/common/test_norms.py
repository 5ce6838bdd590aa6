"""The normalizations: what they compute where, and which of their weights learn."""

import keras
import numpy as np
import pytest

import keras_bin
from common.classifiers import build_classifier
from common.nets import build_cnn
from common.norms import (
    ALL_NORMS,
    FIXED_NORMS,
    NORMS,
    SERVED_NORMS,
    UNSCALED,
    FixedMix,
    HalfInstance,
)


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


def test_fixed_mix_keeps_rho_while_it_trains():
    model = build_cnn(NORMS["BN+IN"])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pictures = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    kernel = model.get_layer("conv1").kernel.numpy()
    model.fit(pictures, np.arange(8), verbose=0)
    assert np.any(model.get_layer("conv1").kernel.numpy() != kernel)
    for rho in keras_bin.rho_weights(model):
        np.testing.assert_array_equal(rho, 0.5)


def test_fixed_mix_is_saved_and_loaded(images, tmp_path):
    model = keras.Sequential([keras.Input((5, 6, 3)), FixedMix(rho_initializer=HalfInstance())])
    model.save(tmp_path / "mix.keras")
    loaded = keras.saving.load_model(tmp_path / "mix.keras")
    assert isinstance(loaded.layers[0], FixedMix)
    assert not loaded.layers[0].rho.trainable
    np.testing.assert_array_equal(loaded(images), model(images))


def test_in_is_instance_normalization(images):
    """Keras's own, which takes twice as long."""
    expected = keras.layers.GroupNormalization(groups=-1, epsilon=1e-3)(images)
    for training in (True, False):
        outputs = NORMS["IN"].layer()(images, training=training)
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def gates_of_resnets():
    """By normalization, rho of each BIN layer of a ResNet-8, by the number of its normalization."""
    found = {}
    for name, norm in ALL_NORMS.items():
        model = build_classifier("resnet-8", norm, (8, 8, 3), 4)
        layers = [layer for layer in model.layers if hasattr(layer, "gamma")]
        found[name] = {
            number: np.array(layer.rho)
            for number, layer in enumerate(layers, start=1)
            if isinstance(layer, keras_bin.BatchInstanceNormalization)
        }
    return found


@pytest.mark.parametrize(("norm", "rho"), [("IN", 0), ("BN+IN", 0.5), ("BIN", 1), (UNSCALED, 1)])
def test_norms_are_the_same_at_every_place(gates_of_resnets, norm, rho):
    """A ResNet-8 has a stem, three blocks of two, and two projections."""
    assert len(gates_of_resnets[norm]) == 9
    assert {float(gate) for gates in gates_of_resnets[norm].values() for gate in gates} == {rho}


def test_placed_norms_are_batch_normalization_elsewhere(gates_of_resnets):
    assert gates_of_resnets["BN"] == {}
    for norm, rho in (("IN first", 0), ("BIN first", 1)):
        ((number, gates),) = gates_of_resnets[norm].items()
        assert number == 1
        np.testing.assert_array_equal(gates, rho)
    widths = []
    for gates in gates_of_resnets["IBN-Net"].values():
        half = len(gates) // 2
        np.testing.assert_array_equal(gates, [0] * half + [1] * half)
        widths.append(len(gates))
    assert widths == [16, 32, 64]
    assert next(iter(gates_of_resnets["IBN-Net"])) == 2


def test_only_bin_takes_longer_steps_and_only_when_scaled():
    scales = {
        name: getattr(build_cnn(norm), "rho_gradient_scale", None)
        for name, norm in ALL_NORMS.items()
    }
    assert scales == {
        **dict.fromkeys(FIXED_NORMS),
        "BIN": 10,
        UNSCALED: 1,
        "BIN first": 10,
    }


def test_served_norms_start_at_a_half_at_the_first_layer_or_everywhere():
    first, settled = (
        [
            np.array(rho)
            for rho in keras_bin.rho_weights(build_classifier("resnet-8", norm, (8, 8, 3), 4))
        ]
        for norm in SERVED_NORMS.values()
    )
    assert (len(first), len(settled)) == (1, 9)
    assert {float(gate) for rho in (*first, *settled) for gate in rho} == {0.5}
    assert [norm.settles for norm in SERVED_NORMS.values()] == [False, True]
    assert not any(norm.settles for norm in ALL_NORMS.values())


def test_half_instance_gives_the_odd_channel_to_batch_normalization():
    np.testing.assert_array_equal(HalfInstance()((5,)), [0, 0, 1, 1, 1])
