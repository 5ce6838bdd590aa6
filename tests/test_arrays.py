"""Variables as arrays, of any precision, inside a traced function too."""

import warnings

import keras
import numpy as np
import pytest

from keras_bin.arrays import array, float64, is_text


def variable(values, dtype):
    trainable = not dtype.startswith("int")  # PyTorch differentiates only by floats
    return keras.Variable(values, dtype=dtype, trainable=trainable)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32"])
def test_values_are_kept_in_float64(dtype):
    values = float64(variable([1, 2.5, -3], dtype))
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [1, 2 if dtype == "int32" else 2.5, -3])


@pytest.mark.tensorflow
def test_value_is_known_while_a_function_is_traced():
    import tensorflow as tf

    variable, seen = keras.Variable([1.0, 2.0]), []

    @tf.function
    def traced():
        seen.append(float64(variable))

    traced()
    np.testing.assert_array_equal(seen, [[1, 2]])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_array_keeps_its_dtype(dtype):
    assert array(variable([1, 2], dtype)).dtype == dtype


def test_nothing_is_deprecated():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(array(keras.Variable([1.0, 2.0])), [1, 2])


@pytest.mark.parametrize(
    "values", [["a"], [b"a"], np.array([b"a"], object)], ids=["str", "bytes", "objects"]
)
def test_text_is_text(values):
    assert is_text(np.asarray(values))


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_numbers_are_not_text(dtype):
    assert not is_text(np.ones(2, dtype))
