"""Arrays on their way to and from the process that serves."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export.saved_models.serving_program import load_arrays, save_arrays

DTYPES = (
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64"),
    tf.bfloat16.as_numpy_dtype,
)


def there_and_back(tmp_path, **arrays):
    save_arrays(tmp_path / "arrays.npz", arrays)
    return load_arrays(tmp_path / "arrays.npz")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_numbers_are_unchanged(shape, dtype, tmp_path):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    got = there_and_back(tmp_path, x=array)["x"]
    assert got.dtype == array.dtype
    assert got.shape == shape
    np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "", "größer"]),
        np.array([b"a\0", b"\xff\0"], object),
        np.array([b"ab", b"c"]),
        np.array([["a", "b"], ["c", "d"]], object),
        np.array([], object),
        np.array("one", object),
    ],
    ids=["str", "bytes that end in zeros", "fixed bytes", "two axes", "none", "scalar"],
)
def test_strings_come_as_bytes(array, tmp_path):
    got = there_and_back(tmp_path, x=array)["x"]
    assert got.dtype == object
    assert got.shape == array.shape
    expected = [x if isinstance(x, bytes) else x.encode() for x in array.ravel().tolist()]
    assert got.ravel().tolist() == expected


@pytest.mark.parametrize("name", ["file", "entries", "array0", "a/b", "größer"])
def test_arrays_may_have_any_name(name, tmp_path):
    got = there_and_back(tmp_path, **{name: np.ones(2), "other": np.zeros(3)})
    assert list(got) == [name, "other"]
    np.testing.assert_array_equal(got[name], np.ones(2))


def test_foreign_byte_order_becomes_the_machines(tmp_path):
    got = there_and_back(tmp_path, x=np.arange(3, dtype=">f4"))["x"]
    np.testing.assert_array_equal(got, [0, 1, 2])
