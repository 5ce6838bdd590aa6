"""input_axes and Axes: which axis is what, and how a mask covers them."""

import keras
import numpy as np
import pytest

from keras_bin.normalization.axes import Axes, input_axes


@pytest.mark.parametrize(
    ("shape", "axis", "expected", "spatial"),
    [
        ((2, 5, 3), -1, Axes(3, 2, 3), (1,)),
        ((2, 5, 3), 1, Axes(3, 1, 5), (2,)),
        ((2, 5, 3), -2, Axes(3, 1, 5), (2,)),
        ((2, 5, 6, 3), -1, Axes(4, 3, 3), (1, 2)),
        ((2, 5, 6, 3), 1, Axes(4, 1, 5), (2, 3)),
        ((2, 5, 6, 3), 2, Axes(4, 2, 6), (1, 3)),
        ((2, 5, 6, 7, 3), -4, Axes(5, 1, 5), (2, 3, 4)),
        ([None, None, None, 3], 3, Axes(4, 3, 3), (1, 2)),
    ],
    ids=str,
)
def test_axes_are_resolved(shape, axis, expected, spatial):
    axes = input_axes(shape, axis)
    assert axes == expected
    assert axes.spatial == spatial


@pytest.mark.parametrize("shape", [(), (4,), (None, 4)], ids=str)
def test_shape_without_spatial_axis_is_refused(shape):
    with pytest.raises(ValueError, match="at least one spatial axis") as error:
        input_axes(shape, -1)
    assert str(error.value).endswith(f"Received: input_shape={shape}")
    assert "BatchNormalization" in str(error.value)


@pytest.mark.parametrize("axis", [0, -3, 3, -4])
def test_batch_axis_and_axes_out_of_range_are_refused(axis):
    with pytest.raises(ValueError, match=r"from 1 to 2 or from -2 to -1 for inputs of rank 3") as e:
        input_axes((None, 8, 4), axis)
    assert str(e.value).endswith(f"Received: axis={axis}, input_shape=(None, 8, 4)")


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="number of channels must be known") as error:
        input_axes((2, None, 4), 1)
    assert str(error.value).endswith("Received: input_shape=(2, None, 4), axis=1")


@pytest.mark.parametrize(("channel", "shape"), [(1, (1, 3, 1, 1)), (3, (1, 1, 1, 3))], ids=str)
def test_channel_values_broadcast_along_their_axis(channel, shape):
    values = Axes(4, channel, 3).per_channel(np.array([1.0, 2.0, 3.0]), "float32")
    assert tuple(values.shape) == shape
    np.testing.assert_array_equal(np.ravel(values), [1, 2, 3])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("values", [2, np.array([2.0, 2.0, 2.0])], ids=["number", "array"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_channel_values_are_cast(dtype, values):
    found = Axes(4, 3, 3).per_channel(values, dtype)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    np.testing.assert_array_equal(found, np.full((1, 1, 1, 3), 2))


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_mask_covers_all_but_the_last_axis(dtype):
    mask = np.array([[True, False, True], [False, False, True]])
    valid = Axes(3, 2, 4).valid(mask.astype(dtype), np.zeros((2, 3, 4)))
    assert keras.backend.standardize_dtype(valid.dtype) == "bool"
    np.testing.assert_array_equal(valid, np.repeat(mask[..., None], 4, -1))


def test_no_mask_is_none():
    assert Axes(3, 2, 4).valid(None, np.zeros((2, 3, 4))) is None


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4)], ids=str)
def test_mask_of_another_rank_is_refused(shape):
    with pytest.raises(ValueError, match="`mask` must have one axis fewer") as error:
        Axes(3, 2, 4).valid(np.ones(shape, bool), np.zeros((2, 3, 4)))
    assert str(error.value).endswith(f"mask.shape={shape}, inputs.shape=(2, 3, 4)")
