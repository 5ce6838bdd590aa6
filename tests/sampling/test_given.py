"""Arrays that somebody gives for inputs keep their values, or are refused."""

import numpy as np
import pytest

from keras_bin.networks.signature import Signature, TensorInfo
from keras_bin.sampling.batches import given_arrays


def given(values, dtype):
    signature = Signature((TensorInfo("x", (None,), dtype),), ())
    return given_arrays(signature, {"x": values}, "data", 1)["x"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([0.0, 255.0]), "uint8"),
        (np.array([0, 255], "int64"), "uint8"),
        ([True, False], "float32"),
        ([1, 2], "float32"),
        (np.array([0.1, 1e3]), "float16"),  # rounded, as floats are
        ([1.0, 0.0], "bool"),
    ],
)
def test_values_that_fit_are_cast(values, dtype):
    cast = given(values, dtype)
    assert cast.dtype == dtype
    np.testing.assert_array_equal(cast, np.asarray(values).astype(dtype))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([0.5]), "uint8"),
        (np.array([300], "uint16"), "uint8"),
        ([300], "int8"),
        (np.array([2**40]), "int32"),
        (np.array([-1]), "uint8"),
        (np.array([np.nan]), "int32"),
        (np.array([1 + 1j]), "float32"),
        ([2.0], "bool"),
        (["a"], "float32"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, dtype):
    with pytest.raises(ValueError, match=r"`data` must hold values of the inputs' dtypes"):
        given(values, dtype)
