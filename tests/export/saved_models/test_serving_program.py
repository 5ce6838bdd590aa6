"""Arrays keep their values and dtypes on the way to the process that serves, and back."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export.saved_models.serving_process import serving_process

DTYPES = (
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64"),
    tf.bfloat16.as_numpy_dtype,
)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with serving_process(tmp_path_factory.mktemp("serving")) as process:
        yield process


@pytest.fixture
def there_and_back(process, tmp_path):
    """Returns a function that sends an array through a SavedModel that changes nothing."""

    def send(array, dtype):
        spec = tf.TensorSpec([None] * array.ndim, dtype, "x")
        same = tf.function(lambda x: {"y": x}, autograph=False).get_concrete_function(spec)
        tf.saved_model.save(tf.Module(), str(tmp_path), same)
        return process.load(tmp_path).run({"x": array})["y"]

    return send


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_numbers_are_unchanged(shape, dtype, there_and_back):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    got = there_and_back(array, dtype)
    assert isinstance(got, np.ndarray)
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
        np.array(b"one\0", object),
    ],
    ids=["str", "bytes that end in zeros", "fixed bytes", "two axes", "none", "scalar"],
)
def test_strings_come_as_bytes(array, there_and_back):
    got = there_and_back(array, tf.string)
    assert got.dtype == object
    assert got.shape == array.shape
    expected = [x if isinstance(x, bytes) else x.encode() for x in array.ravel().tolist()]
    assert got.ravel().tolist() == expected


def test_foreign_byte_order_becomes_the_machines(there_and_back):
    got = there_and_back(np.arange(3, dtype=">f4"), tf.float32)
    np.testing.assert_array_equal(got, [0, 1, 2])
