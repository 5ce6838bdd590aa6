"""The loss that VGG16 computes: its parts against NumPy, its gradient, its weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import perceptual_loss
from common.perceptual_loss import LossNet, PerceptualLoss, gram, load_loss_net

STYLE_WEIGHT = 2.0


def unreachable(**options):
    """Stands in for `keras.applications.VGG16` where there is no network."""
    if options.get("weights", "imagenet") == "imagenet":
        raise Exception("URL fetch failure on https://example.org/vgg16.h5")
    return small_vgg(**options)


def small_vgg(**options):
    """A net with the layer names of VGG16, and few channels."""
    x = pictures = keras.Input((None, None, 3))
    for block, convolutions in enumerate((2, 2, 3, 3), start=1):
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name=name)(x)
        x = keras.layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return keras.Model(pictures, x)


@pytest.fixture
def loss_net(monkeypatch):
    monkeypatch.setattr(keras.applications, "VGG16", unreachable)
    return load_loss_net()


@pytest.fixture
def pictures():
    return np.random.default_rng(0).random((3, 2, 16, 24, 3)).astype("float32")


def numpy_gram(features):
    flat = features.reshape(features.shape[0], -1, features.shape[-1]).astype("float64")
    return np.stack([rows.T @ rows / len(rows) for rows in flat])


def test_gram_is_the_mean_of_products():
    features = np.random.default_rng(0).normal(2, 3, (2, 5, 7, 4)).astype("float32")
    np.testing.assert_allclose(gram(features), numpy_gram(features), rtol=1e-5, atol=1e-5)


def test_distances_are_those_of_the_formulas(loss_net, pictures):
    photos, stylized, (style, _) = pictures
    content, styles = PerceptualLoss(loss_net, style, STYLE_WEIGHT).distances(photos, stylized)
    of_photos, of_stylized, of_style = (
        [np.asarray(maps, "float64") for maps in loss_net.features(each)]
        for each in (photos, stylized, style[np.newaxis])
    )
    expected = np.mean((of_stylized[1] - of_photos[1]) ** 2) / np.mean(of_style[1] ** 2)
    np.testing.assert_allclose(content, expected, rtol=1e-5, atol=0)
    expected = np.mean(
        [
            np.mean((numpy_gram(maps) - numpy_gram(target)) ** 2) / np.mean(numpy_gram(target) ** 2)
            for maps, target in zip(of_stylized, of_style, strict=True)
        ]
    )
    np.testing.assert_allclose(styles, expected, rtol=1e-5, atol=0)


def test_distances_are_zero_where_nothing_differs(loss_net, pictures):
    photos, _, (style, _) = pictures
    loss = PerceptualLoss(loss_net, style, STYLE_WEIGHT)
    assert loss.distances(photos, photos)[0] == 0
    assert loss.distances(photos, photos)[1] > 0.01
    np.testing.assert_allclose(loss.distances(photos, style[None])[1], 0, rtol=0, atol=1e-9)


def test_loss_is_the_weighted_sum_and_reaches_the_stylized_photos(loss_net, pictures):
    photos, stylized, (style, _) = pictures
    loss = PerceptualLoss(loss_net, style, STYLE_WEIGHT)
    stylized = tf.Variable(stylized)
    with tf.GradientTape() as tape:
        same = loss(photos, stylized)
        (total,) = loss.losses
    np.testing.assert_array_equal(same, stylized)
    content, style = loss.distances(photos, stylized)
    np.testing.assert_allclose(total, content + STYLE_WEIGHT * style, rtol=1e-6, atol=0)
    gradient = np.asarray(tape.gradient(total, stylized))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max(axis=(1, 2, 3)).min() > 0


def test_history_holds_both_parts_and_the_loss_net_stays(loss_net, pictures):
    photos, _, (style, _) = pictures
    frozen = [np.array(weight) for weight in loss_net.features.weights]
    inputs = keras.Input((None, None, 3))
    stylized = keras.layers.Conv2D(3, 1, activation="sigmoid")(inputs)
    model = keras.Model(inputs, PerceptualLoss(loss_net, style, STYLE_WEIGHT)(inputs, stylized))
    assert len(model.trainable_weights) == 2
    model.compile("sgd")
    history = model.fit(photos, epochs=2, verbose=0).history
    assert set(history) == {"loss", "content", "style"}
    np.testing.assert_allclose(
        history["loss"],
        np.add(history["content"], np.multiply(STYLE_WEIGHT, history["style"])),
        rtol=1e-5,
        atol=0,
    )
    for before, after in zip(frozen, loss_net.features.weights, strict=True):
        np.testing.assert_array_equal(before, after)


def test_fallback_is_stated_and_the_same_at_every_call(loss_net):
    assert loss_net.weights == "random"
    assert "out of reach" in loss_net.statement
    assert "random weights (He normal, seed 0)" in loss_net.statement
    kernels = [weight for weight in loss_net.features.weights if weight.path.endswith("kernel")]
    assert len(kernels) == 10
    for first, again in zip(
        loss_net.features.weights, load_loss_net().features.weights, strict=True
    ):
        np.testing.assert_array_equal(first, again)
    assert np.any(np.asarray(kernels[1]) != np.asarray(kernels[3]))


def test_random_kernels_keep_the_size_of_features():
    vgg = keras.Sequential([keras.Input((8, 8, 64)), keras.layers.Conv2D(64, 3)])
    perceptual_loss._randomize(vgg)
    kernel = np.asarray(vgg.layers[0].kernel)
    np.testing.assert_allclose(kernel.var(), 2 / (9 * 64), rtol=0.05, atol=0)


def test_trained_weights_are_taken_where_they_can_be_had(monkeypatch):
    trained = small_vgg()
    monkeypatch.setattr(keras.applications, "VGG16", lambda **options: trained)
    loss_net = load_loss_net()
    assert loss_net.weights == "imagenet"
    assert loss_net.statement == "the loss net is VGG16, trained on ImageNet"
    kernel = trained.get_layer("block4_conv3").kernel
    assert any(weight is kernel for weight in loss_net.features.weights)


def test_pictures_are_prepared_as_vgg_expects(loss_net, pictures):
    plain = small_vgg()
    plain.set_weights(loss_net.features.get_weights())
    features = keras.Model(plain.input, plain.get_layer("block1_conv2").output)
    blue_to_red = 255 * pictures[0][..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    expected = features(blue_to_red)
    np.testing.assert_allclose(loss_net.features(pictures[0])[0], expected, rtol=1e-4, atol=1e-3)


def test_loss_net_is_frozen(loss_net):
    assert isinstance(loss_net, LossNet)
    assert loss_net.features.trainable_weights == loss_net.content.trainable_weights == []
