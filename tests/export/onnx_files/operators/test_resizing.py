"""Resizing at all sizes, compared with TensorFlow's kernels."""

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers

from tests.export.onnx_files.converted import convert, kinds, run, spec

MODES = {
    "half pixel": {"half_pixel_centers": True},
    "corners": {"align_corners": True},
    "legacy": {},
}


def nearest(mode):
    def resize(images, size):
        return tf.raw_ops.ResizeNearestNeighbor(images=images, size=size, **MODES[mode])

    return resize


def rows(size):
    """Images whose values are the numbers of their rows."""
    return np.arange(size, dtype="float32").reshape(1, size, 1, 1)


@pytest.mark.parametrize("mode", MODES)
def test_neighbours_are_those_of_tensorflow_at_all_sizes(mode):
    """Sizes of input and output are free."""
    specs = tf.TensorSpec([None, None, None, 1]), tf.TensorSpec([2], "int32")
    proto = convert(nearest(mode), *specs)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = [value.name for value in session.get_inputs()]
    expected_of = tf.function(nearest(mode), input_signature=specs)
    wrong = []
    for before in range(1, 201):
        x = rows(before)
        for after in range(1 + before % 17, 201, 17):
            size = np.array([after, 2], "int32")
            (found,) = session.run(None, dict(zip(names, (x, size), strict=True)))
            if not np.array_equal(found, expected_of(x, size)):
                wrong.append((before, after))
    assert not wrong


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("before", "after", "opset"),
    [((5, 4), (4, 7), 13), ((4, 6), (8, 18), 17), ((6, 9), (3, 3), 18), ((3, 3), (1, 3), 17)],
)
def test_neighbours_are_those_of_tensorflow_where_sizes_are_known(mode, before, after, opset):
    x = np.random.default_rng(0).normal(size=(2, *before, 3)).astype("float32")
    resize = nearest(mode)
    proto = convert(lambda x: resize(x, after), spec(x, free=[0]), opset=opset)
    np.testing.assert_array_equal(run(proto, x)[0], resize(x, after))


def test_resizing_layer_is_right_at_every_free_size():
    layer = layers.Resizing(6, 6, "nearest")
    proto = convert(lambda x: layer(x), tf.TensorSpec([None, None, None, 1]))
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    name = session.get_inputs()[0].name
    # 6 rows of a picture with n rows: (i + 1/2) n / 6, rounded down, in single precision.
    middles, wrong = np.arange(6, dtype="float32") + np.float32(0.5), []
    for size in range(1, 961):
        expected = np.floor(middles * (np.float32(size) / np.float32(6)))
        (found,) = session.run(None, {name: rows(size)})
        if not np.array_equal(found[0, :, 0, 0], np.minimum(expected, size - 1)):
            wrong.append(size)
    assert not wrong


def test_channels_first_layer_needs_no_transpose():
    layer = layers.Resizing(4, 5, "nearest", data_format="channels_first")
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 9)).astype("float32")
    proto = convert(lambda x: layer(x), spec(x, free=[0, 2, 3]))
    assert "Transpose" not in kinds(proto)
    np.testing.assert_array_equal(run(proto, x)[0], layer(x))


def test_whole_factors_keep_the_operator():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    proto = convert(lambda x: keras.ops.image.resize(x, (8, 15), "nearest"), spec(x, free=[0]))
    assert kinds(proto) == ["Transpose", "Resize", "Transpose"]


def test_the_same_size_needs_no_operator():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    proto = convert(lambda x: keras.ops.image.resize(x, (4, 5), "nearest"), spec(x, free=[0]))
    assert kinds(proto) == ["Identity"]


def bilinear(mode):
    def resize(images, size):
        return tf.raw_ops.ResizeBilinear(images=images, size=size, **MODES[mode])

    return resize


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("before", "after"),
    [((8, 6), (4, 5)), ((6, 6), (5, 11)), ((48, 33), (7, 32)), ((3, 5), (3, 1))],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_smooth_pictures_have_the_wanted_sizes(dtype, before, after, mode):
    """6 rows times the float32 next to 5 / 6 are less than 5."""
    x = np.random.default_rng(0).uniform(0, 255, (2, *before, 3)).astype(dtype)
    resize = bilinear(mode)
    proto = convert(lambda x: resize(x, after), spec(x, free=[0]))
    # The places of rows round in float32, values up to 255.
    np.testing.assert_allclose(run(proto, x)[0], resize(x, after), rtol=0, atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_smooth_pictures_of_free_sizes_are_resized(mode):
    x = np.random.default_rng(0).uniform(0, 1, (2, 7, 9, 3)).astype("float32")
    resize = bilinear(mode)
    proto = convert(lambda x: resize(x, (4, 11)), spec(x, free=[0, 1, 2]))
    np.testing.assert_allclose(run(proto, x)[0], resize(x, (4, 11)), rtol=0, atol=1e-5)
