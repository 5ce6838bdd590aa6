"""Batches that artifacts are compared on: made up, or cut from a user's own samples."""

import numpy as np
import pytest

from keras_bin.export.signature import Signature, TensorInfo, model_signature
from keras_bin.export.verifying.samples import rows, sample_batches
from tests.export.models import IMAGE, bin_model, classifier


def one_input(shape, dtype="float32", name="x"):
    return Signature((TensorInfo(name, (None, *shape), dtype),), ())


def test_made_up_batches_are_single_odd_and_large():
    batches = sample_batches(model_signature(classifier()))
    assert [batch["image"].shape for batch in batches] == [(n, *IMAGE) for n in (1, 3, 16)]


def test_free_sizes_get_a_second_size_in_small_batches():
    batches = sample_batches(model_signature(bin_model(shape=(None, None, 3))))
    assert [batch["image"].shape for batch in batches] == [
        *((n, 32, 32, 3) for n in (1, 3, 16)),
        *((n, 48, 48, 3) for n in (1, 3)),
    ]


@pytest.mark.parametrize(
    ("length", "expected"),
    [(3, [1, 3]), (4, [1, 3, 4]), (64, [1, 3, 64]), (100, [1, 3, 64])],
    ids=["shortest", "one more", "longest", "too long"],
)
def test_own_samples_are_cut_from_their_start(length, expected):
    samples = np.arange(length * 2, dtype="float32").reshape(length, 2)
    batches = sample_batches(one_input((2,)), {"x": samples})
    assert [rows(batch) for batch in batches] == expected
    for batch in batches:
        np.testing.assert_array_equal(batch["x"], samples[: rows(batch)])


def test_float_samples_are_not_centred_at_zero():
    """A fold that is right only around zero would pass on centred inputs."""
    x = sample_batches(one_input((64, 64)))[1]["x"]
    # 12288 draws: the mean has a standard error of 0.02.
    assert x.mean() == pytest.approx(1.5, abs=0.1)
    assert x.std() == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int64", "bool"])
def test_samples_have_the_dtype_of_the_input(dtype):
    (x, *_) = (batch["x"] for batch in sample_batches(one_input((50,), dtype)))
    assert x.dtype == dtype
    assert len(np.unique(x)) == (2 if not dtype.startswith("float") else 50)


def test_row_of_several_integers_is_never_all_padding():
    """A pooling layer divides by the number of what is not masked."""
    (*_, large) = sample_batches(one_input((2,), "int32"))
    assert large["x"].any(axis=1).all()
    assert not large["x"].all()
    (*_, large) = sample_batches(one_input((1,), "int32"))
    assert set(large["x"].ravel()) == {0, 1}


def test_samples_are_the_same_each_time():
    signature = one_input((5,))
    for first, second in zip(sample_batches(signature), sample_batches(signature), strict=True):
        np.testing.assert_array_equal(first["x"], second["x"])


def test_text_inputs_need_samples_of_their_own():
    with pytest.raises(ValueError, match=r"number and boolean inputs only.*'x' of dtype 'string'"):
        sample_batches(one_input((1,), "string"))
