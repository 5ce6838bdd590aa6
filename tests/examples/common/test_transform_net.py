"""The net that redraws photographs: its shapes, its layers, and its files."""

import keras
import numpy as np
import pytest

import keras_bin
from common.norms import NORMS
from common.transform_net import build_transform_net


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    return build_transform_net(NORMS["BIN"], widths=(4, 6, 8), blocks=1)


def photos(height, width):
    return np.random.default_rng(0).random((2, height, width, 3)).astype("float32")


@pytest.mark.parametrize("size", [(16, 24), (17, 30), (5, 7)], ids=str)
def test_stylized_photos_have_the_size_of_the_photos(net, size):
    stylized = np.asarray(net(photos(*size)))
    assert stylized.shape == (2, *size, 3)
    assert stylized.min() >= 0
    assert stylized.max() <= 1


def test_crop_keeps_the_upper_left(net):
    crop = net.get_layer("stylized")
    pictures = np.arange(2 * 8 * 8 * 3, dtype="float32").reshape(2, 8, 8, 3)
    cut = np.asarray(crop(pictures, photos(5, 7)))
    np.testing.assert_array_equal(cut, pictures[:, :5, :7])


def test_border_is_like_the_inside(net):
    """A picture of one colour stays one, as padding with zeros would not let it."""
    stylized = np.asarray(net(np.full((1, 32, 32, 3), 0.5, "float32")))
    np.testing.assert_allclose(
        stylized, np.broadcast_to(stylized[:, :1, :1], stylized.shape), atol=1e-5
    )


def test_size_is_free_in_the_graph(net):
    assert net.input_shape == net.output_shape == (None, None, None, 3)


@pytest.mark.parametrize("norm", NORMS)
def test_all_convolutions_but_the_last_are_normalized(norm):
    net = build_transform_net(NORMS[norm], widths=(4, 6, 8), blocks=2)
    kind = type(NORMS[norm].layer())
    convolutions = [layer for layer in net.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == 10
    assert sum(isinstance(layer, kind) for layer in net.layers) == 9
    assert isinstance(net, keras_bin.BINModel) == (norm == "BIN")


def test_saved_net_redraws_alike(net, tmp_path):
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded(photos(9, 10)), net(photos(9, 10)))
