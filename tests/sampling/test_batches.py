"""Batches that artifacts are compared on: generated, or cut from a user's samples."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.verifying.reference import Reference
from keras_bin.networks.signature import Signature, TensorInfo, model_signature
from keras_bin.sampling.batches import rows, sample_batches
from tests.export.kinds import IMAGE, KINDS, bin_model, classifier
from tests.export.values import snapshot


def one_input(shape, dtype="float32", name="x"):
    return Signature((TensorInfo(name, (None, *shape), dtype),), ())


def test_generated_batches_are_single_odd_and_large():
    batches = sample_batches(model_signature(classifier()))
    assert [batch["image"].shape for batch in batches] == [(n, *IMAGE) for n in (1, 3, 16)]


def generated(model):
    return sample_batches(model_signature(model), None, model)


def test_free_sizes_get_further_sizes_in_small_batches():
    batches = generated(bin_model(shape=(None, None, 3)))
    shapes = [batch["image"].shape for batch in batches]
    assert shapes[:3] == [(n, 32, 32, 3) for n in (1, 3, 16)]
    assert [shape[0] for shape in shapes[3:]] == [1, 3] * 3
    sizes = [shape[1:3] for shape in shapes[3::2]]
    assert [shape[1:3] for shape in shapes[4::2]] == sizes
    assert all(height != width for height, width in sizes)
    assert min(min(size) for size in sizes) < 10
    assert any(size % 2 for pair in sizes for size in pair)


@pytest.mark.parametrize("filters", [32, 48, 47, 5], ids=str)
def test_no_size_is_a_number_of_filters(filters):
    inputs = keras.Input((None, None, 3), name="image")
    model = keras.Model(inputs, layers.Conv2D(filters, 1)(inputs))
    sizes = {size for batch in generated(model) for size in batch["image"].shape[1:3]}
    assert sizes
    assert not sizes & {filters, 3, 1}


def u_net():
    inputs = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(32, 3, strides=8, padding="same")(inputs)
    return keras.Model(inputs, layers.Concatenate()([layers.UpSampling2D(8)(x), inputs]))


def cropping():
    inputs = keras.Input((None, 4), name="image")
    return keras.Model(inputs, layers.Cropping1D(3000)(inputs))


def pyramid():
    inputs = keras.Input((None, None, 3), name="image")
    return keras.Model(inputs, layers.Cropping2D(100)(inputs))


@pytest.mark.parametrize("build", [u_net, cropping, pyramid])
def test_model_runs_at_all_sizes(build):
    model = build()
    batches = generated(model)
    assert {rows(batch) for batch in batches} == {1, 3, 16}
    assert len({batch["image"].shape[1:] for batch in batches}) > 1
    for batch in batches:
        assert np.isfinite(keras.ops.convert_to_numpy(model(batch["image"]))).all()


def test_model_that_takes_no_size_gets_the_usual_ones():
    inputs = keras.Input((None, 3), name="image")
    broken = layers.Lambda(lambda x: keras.ops.reshape(x, (2, 19)), output_shape=(19,))
    batches = generated(keras.Model(inputs, broken(inputs)))
    assert {batch["image"].shape[1] for batch in batches} == {32, 48}


@pytest.mark.parametrize("kind", KINDS)
def test_model_runs_on_what_is_generated_for_it_and_is_untouched(kind):
    reference = Reference(ExportedModel(KINDS[kind]()))
    model, signature = reference.exported.model, reference.exported.signature
    before = snapshot(model)
    batches = sample_batches(signature, None, model)
    assert {rows(batch) for batch in batches} == {1, 3, 16}
    for batch in batches:
        reference.outputs(batch)
    again = sample_batches(signature, None, model)
    for first, second in zip(batches, again, strict=True):
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name], err_msg=name)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_own_samples_are_not_tried():
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, layers.BatchNormalization()(inputs))
    samples = np.full((3, 2), 1e5, "float32")
    (*_, last) = sample_batches(model_signature(model), {"x": samples}, model)
    np.testing.assert_array_equal(last["x"], samples)


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
    with pytest.raises(ValueError, match=r"numeric and boolean inputs only.*'x' of dtype 'string'"):
        sample_batches(one_input((1,), "string"))
