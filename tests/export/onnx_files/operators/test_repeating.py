"""Repeated rows and columns, as UpSampling layers write them."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.export.onnx_files.converted import convert, kinds, run, spec


def test_upsampling_between_convolutions_needs_no_transpose():
    inputs = keras.Input((5, 6, 3))
    x = layers.UpSampling2D((2, 3))(layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, layers.Conv2D(4, 3)(x))
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    proto = convert(lambda x: model(x), spec(x, free=[0]))
    np.testing.assert_allclose(run(proto, x)[0], model(x), rtol=1e-5, atol=1e-5)
    found = [kind for kind in kinds(proto) if kind in ("Transpose", "Resize", "Conv")]
    assert found == ["Transpose", "Conv", "Resize", "Resize", "Conv", "Transpose"]


def test_upsampling_of_a_series_of_known_length_is_a_resize():
    x = np.arange(2 * 3 * 4.0, dtype="float32").reshape(2, 3, 4)
    proto = convert(lambda x: layers.UpSampling1D(3)(x), spec(x, free=[0]))
    np.testing.assert_array_equal(run(proto, x)[0], np.repeat(x, 3, axis=1))
    assert "Resize" in kinds(proto)
    assert "Tile" not in kinds(proto)


@pytest.mark.parametrize("free", [[0], [0, 1, 2]], ids=["static", "free"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("repeat", [ops.repeat, ops.tile], ids=["repeat", "tile"])
def test_repeats_of_every_axis_are_right(repeat, axis, dtype, free):
    x = np.arange(2 * 3 * 3 * 4).reshape(2, 3, 3, 4).astype(dtype)
    times = [3 if each == axis else 1 for each in range(4)]
    arguments = (3, axis) if repeat is ops.repeat else (times,)
    expected = {ops.repeat: np.repeat, ops.tile: np.tile}[repeat](x, *arguments)
    proto = convert(lambda x: repeat(x, *arguments), spec(x, free))
    np.testing.assert_array_equal(run(proto, x)[0], expected)
