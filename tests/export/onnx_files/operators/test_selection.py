"""`where` and one-hot vectors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.export.onnx_files.converted import convert, kinds, run, spec

SPECIAL = np.array([[np.nan, np.inf, -np.inf, 1.0, -2.0, 0.0]], "float32")
DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float16"]


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_the_value_that_is_not_chosen_does_not_get_through(opset):
    x, y = SPECIAL, np.arange(6, dtype="float32")[None]
    proto = convert(lambda x, y: ops.where(y > 2, y, x), spec(x, [0]), spec(y, [0]), opset=opset)
    np.testing.assert_array_equal(run(proto, x, y)[0], [[np.nan, np.inf, -np.inf, 3, 4, 5]])


def test_a_value_that_is_made_in_a_branch_does_not_get_through():
    x = np.array([[-4.0, 0.0, 4.0]], "float32")
    proto = convert(lambda x: ops.where(x > 0, 1 / ops.sqrt(x), 0.5), spec(x, free=[0]))
    np.testing.assert_array_equal(run(proto, x)[0], [[0.5, 0.5, 0.5]])


def test_masked_softmax_is_that_of_the_others():
    x, mask = np.array([[1.0, 2.0, 3.0]], "float32"), np.array([[True, False, True]])
    layer = keras.layers.Softmax()
    proto = convert(lambda x, mask: layer(x, mask), spec(x, free=[0]), spec(mask, free=[0]))
    chosen = np.exp([1.0, 3.0]) / np.exp([1.0, 3.0]).sum()
    (found,) = run(proto, x, mask)
    np.testing.assert_allclose(found, [[chosen[0], 0, chosen[1]]], rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [*DTYPES, "float32", "float64"])
def test_values_of_every_dtype_are_chosen(dtype):
    x, y = np.arange(6).reshape(2, 3).astype(dtype), np.array([1], dtype)
    condition = np.array([[True], [False]])
    proto = convert(tf.where, spec(condition), spec(x, free=[0]), spec(y))
    (found,) = run(proto, condition, x, y)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.where(condition, x, y))


def test_a_vector_chooses_rows_in_old_graphs():
    condition, x = np.array([True, False, True]), np.arange(9, dtype="float32").reshape(3, 3)
    proto = convert(
        lambda c, x: tf.raw_ops.Select(condition=c, x=x, y=-x), spec(condition, [0]), spec(x, [0])
    )
    np.testing.assert_array_equal(run(proto, condition, x)[0], np.where(condition[:, None], x, -x))


@pytest.mark.parametrize(
    ("dtype", "axis", "opset"),
    [
        ("float32", -1, 13),
        ("float32", 0, 17),
        ("float32", 1, 18),
        *[(dtype, -1, 17) for dtype in ("int32", "int64", "float64", "bool")],
    ],
)
def test_indices_outside_give_vectors_that_are_off(dtype, axis, opset):
    indices = np.array([[-5, -1, 0], [2, 3, 4]])
    values = np.array([1, 0], dtype)
    proto = convert(
        lambda x: tf.one_hot(x, 4, *values, axis=axis), spec(indices, free=[0]), opset=opset
    )
    hot = indices[..., None] == np.arange(4)
    (found,) = run(proto, indices)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.moveaxis(hot, -1, axis).astype(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_values_of_one_hot_vectors_may_be_any(dtype):
    indices = np.array([0, 3, 200], dtype)
    proto = convert(
        lambda x: tf.one_hot(x, 4, on_value=2.5, off_value=-np.inf), spec(indices, free=[0])
    )
    expected = np.where(indices[:, None] == np.arange(4), 2.5, -np.inf)
    np.testing.assert_array_equal(run(proto, indices)[0], expected)


def test_depth_and_indices_may_be_scalars_that_are_free():
    index, depth = np.array(-1, "int32"), np.array(3, "int32")
    proto = convert(tf.one_hot, spec(index), spec(depth))
    np.testing.assert_array_equal(run(proto, index, depth)[0], [0, 0, 0])
    np.testing.assert_array_equal(run(proto, np.array(1, "int32"), depth)[0], [0, 1, 0])
    assert "OneHot" not in kinds(proto)


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("dtype", ["int32", "float32", "int64", "uint8", "float64"])
def test_integers_are_true_where_they_are_not_zero(dtype, opset):
    x = np.array([[0.5, -0.5, 0.0, 1.5, -2.0]], "float32")
    if dtype == "uint8":
        x = abs(x)
    proto = convert(lambda x: ops.cast(ops.cast(x, dtype), "bool"), spec(x, free=[0]), opset=opset)
    np.testing.assert_array_equal(run(proto, x)[0], x.astype(dtype).astype(bool))
