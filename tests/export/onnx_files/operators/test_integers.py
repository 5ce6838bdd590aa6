"""Quotients and remainders of numbers of both signs."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.export.onnx_files.converted import convert, run, spec

DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float32", "float64"]


def pairs(dtype):
    """All pairs of small numbers, and of the extreme values of an integer dtype."""
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    values = np.arange(-12, 13) * 0.1
    if info:
        ends = [info.min, info.min + 1, info.max - 1, info.max]
        values = np.array([*range(max(info.min, -12), 13), *ends], dtype)
    x, y = (array.ravel().astype(dtype) for array in np.meshgrid(values, values))
    used = y != 0
    if info and info.min:
        used &= (y != -1) | (x != info.min)  # the quotient would be too large
    return x[used], y[used]


@pytest.mark.parametrize(
    ("dtype", "opset"), [*[(dtype, 17) for dtype in DTYPES], ("int32", 13), ("int32", 18)]
)
def test_division_rounds_down_and_leaves_the_sign_of_the_divisor(dtype, opset):
    x, y = pairs(dtype)
    proto = convert(
        lambda x, y: {"a": tf.math.floordiv(x, y), "b": tf.math.floormod(x, y)},
        spec(x),
        spec(y),
        opset=opset,
    )
    quotients, remainders = run(proto, x, y)
    assert (quotients.dtype, remainders.dtype) == (dtype, dtype)
    np.testing.assert_array_equal(quotients, np.floor(x / y) if x.dtype.kind == "f" else x // y)
    np.testing.assert_array_equal(remainders, np.mod(x, y))


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_truncated_remainders_have_the_sign_of_the_dividend(dtype):
    x, y = pairs(dtype)
    (remainders,) = run(convert(tf.truncatemod, spec(x), spec(y)), x, y)
    np.testing.assert_array_equal(remainders, np.fmod(x, y))


@pytest.mark.parametrize("divisor", [-3, -1, 1, 2, 7])
def test_divisors_may_be_constants(divisor):
    x = np.arange(-20, 21, dtype="int32").reshape(1, -1)
    proto = convert(
        lambda x: {
            "a": ops.floor_divide(x, divisor),
            "b": ops.mod(x, divisor),
            "c": ops.floor_divide(divisor, 2 * x + 1),
        },
        spec(x, free=[0]),
    )
    quotient, remainder, inverse = run(proto, x)
    np.testing.assert_array_equal(quotient, x // divisor)
    np.testing.assert_array_equal(remainder, x % divisor)
    np.testing.assert_array_equal(inverse, divisor // (2 * x + 1))
