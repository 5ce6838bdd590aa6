"""Names, shapes and dtypes of an artifact are compared with the model's, in that order."""

import numpy as np
import pytest

from keras_bin.export import DtypeError, NamesError, ShapeError
from keras_bin.export.verifying.agreement import check_arrays, check_signatures
from keras_bin.networks.signature import Signature, TensorInfo


def signature(input_shape=(None, 2), output_shape=(None, 3), dtype="float32", output="y"):
    return Signature(
        (TensorInfo("x", input_shape, "float32"),), (TensorInfo(output, output_shape, dtype),)
    )


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (signature(), signature()),
        (signature(output_shape=(None, 3, 4)), signature(output_shape=(None, None, 4))),
    ],
    ids=["equal", "a size that Keras leaves free"],
)
def test_signature_that_is_right(got, expected):
    check_signatures(got, expected)


@pytest.mark.parametrize(
    ("got", "error", "line"),
    [
        (signature(output="z"), NamesError, "outputs: expected ['y'], got ['z']"),
        (signature((None, 4)), ShapeError, "input 'x': expected (None, 2), got (None, 4)"),
        (signature((1, 2)), ShapeError, "input 'x': expected (None, 2), got (1, 2)"),
        (signature(output_shape=(1, 3)), ShapeError, "output 'y': expected (None, 3), got (1, 3)"),
        (signature(output_shape=(None, 4)), ShapeError, "expected (None, 3), got (None, 4)"),
        (signature(output_shape=(None,)), ShapeError, "expected (None, 3), got (None,)"),
        (
            signature(output_shape=(None, None)),
            ShapeError,
            "output 'y': expected (None, 3), got (None, None)",
        ),
        (signature(dtype="int64"), DtypeError, "output 'y': expected float32, got int64"),
    ],
    ids=[
        "name",
        "input size",
        "input batch",
        "output batch",
        "output size",
        "rank",
        "free size",
        "dtype",
    ],
)
def test_signature_that_is_wrong_is_refused(got, error, line):
    with pytest.raises(error) as caught:
        check_signatures(got, signature())
    (difference,) = caught.value.differences
    assert line in difference


def test_size_of_an_input_must_stay_free():
    """An artifact that takes only one size is not the model."""
    with pytest.raises(ShapeError, match=r"'x': expected \(None, None\), got \(None, 2\)"):
        check_signatures(signature(), signature((None, None)))


@pytest.mark.parametrize(
    ("attribute", "error", "line"),
    [
        ("shape", ShapeError, "'b': expected (2,), got (3,)"),
        ("dtype", DtypeError, "'b': expected float32, got int64"),
    ],
    ids=["shape", "dtype"],
)
def test_outputs_that_differ_are_named(attribute, error, line):
    expected = {"a": np.ones(2), "b": np.ones(2, "float32")}
    check_arrays(expected, expected, attribute, error)
    with pytest.raises(error) as caught:
        check_arrays({"a": np.ones(2), "b": np.ones(3, "int64")}, expected, attribute, error)
    assert caught.value.differences == (line,)
