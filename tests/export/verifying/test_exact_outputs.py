"""What a model computes without rounding."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.verifying.exact_outputs import ExactOutputs
from keras_bin.export.verifying.reference import Reference
from tests.export.kinds import HALF_KINDS, IMAGE, KINDS
from tests.export.values import arrays


def exact_outputs(model, *batches):
    """Makes exact outputs, and what the model computes, for batches or for numbers of rows."""
    reference = Reference(ExportedModel(model))
    names = [info.name for info in reference.exported.signature.inputs]
    batches = [
        batch
        if isinstance(batch, dict)
        else dict(zip(names, arrays(reference.exported.model, batch), strict=True))
        for batch in batches
    ]
    expected = [reference.outputs(batch) for batch in batches]
    return ExactOutputs(reference, batches, expected), expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_runs_in_float64(kind):
    exact, (expected,) = exact_outputs(KINDS[kind](), 3)
    for name, values in expected.items():
        found = exact.of(0, name)
        assert found.values.dtype == "float64"
        # float32 rounding of values up to 20.
        np.testing.assert_allclose(found.values, values, rtol=1e-5, atol=1e-5)
        assert found.rounding.max() == np.abs(found.values - values).max()
        assert not found.unsteady.any()
    assert exact.unavailable == ""


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_model_is_rounded_as_in_float32(kind):
    exact, (expected,) = exact_outputs(HALF_KINDS[kind](), 3)
    for name in expected:
        # Half precision would leave 1e-3.
        assert 0 < exact.of(0, name).rounding.max() < 1e-5


def test_exact_values_have_more_digits_than_float32():
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": (inputs + 1.0) * 3.0})
    for power, rounding in ((-20, 0), (-30, 3 * 2**-30)):
        exact, _ = exact_outputs(model, {"x": np.array([[2**power]], "float32")})
        assert exact.of(0, "y").values[0, 0] == 3 + 3 * 2**power
        assert exact.of(0, "y").rounding.tolist() == [rounding]


def _sums(*batches):
    """Makes exact outputs of `x - 1`, which is not steady near 1 where x has been rounded."""
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": (inputs + 1024.0) - 1025.0})
    return exact_outputs(model, *({"x": np.array(x, "float32")[:, None]} for x in batches))[0]


def test_rounding_is_the_largest_of_all_batches():
    exact = _sums([0.0], [2.0**-20, 4.0], [0.0])
    found = [exact.of(index, "y") for index in range(3)]
    assert [x.rounding.tolist() for x in found] == [[2**-20], [2**-20] * 2, [2**-20]]
    assert [x.values.ravel().tolist() for x in found] == [[-1.0], [2**-20 - 1, 3.0], [-1.0]]
    assert all(x.is_known for x in found)


# 1 + 2**-14 becomes 1 beside 1024: all of the output, 2**-14, is lost.
LOST = 1 + 2.0**-14


def test_row_that_rounding_changes_is_unsteady_and_leaves_the_others_their_rounding():
    exact = _sums([0.0], [2.0**-20, LOST, 4.0])
    assert [exact.of(index, "y").unsteady.tolist() for index in (0, 1)] == [
        [False],
        [False, True, False],
    ]
    assert exact.of(1, "y").by_row().tolist() == [[2**-20], [2**-14], [2**-20]]


def test_row_takes_the_rounding_of_larger_ones_up_to_a_share_of_its_own_size():
    """Beside 2**24 the second 1 is lost; of rows that are 400 at most, 0.25 % is 1."""
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": (inputs + 1.0) * 1.0})
    exact, _ = exact_outputs(model, {"x": np.float32([[2.0**24], [399.0], [39.0], [2.0**25]])})
    assert exact.of(0, "y").rounding.tolist() == [1.0, 1.0, pytest.approx(0.1), 1.0]


def test_row_that_is_lucky_becomes_unsteady_where_its_input_moves():
    """A slope of 2**17 at 1 makes 0.125 of 8 units in the last place, 2**-20."""
    inputs = keras.Input((1,), name="x")
    outputs = ops.where(ops.abs(inputs - 1.0) < 0.5, (inputs - 1.0) * 2.0**17, 1.0) + 1.0
    model = keras.Model(inputs, {"y": outputs})
    exact, _ = exact_outputs(model, {"x": np.array([[1.0], [2.0], [3.0], [4.0]], "float32")})
    assert exact.of(0, "y").unsteady.tolist() == [False] * 4
    found = exact.of(0, "y", moved=True)
    assert found.unsteady.tolist() == [True] + [False] * 3
    assert found.rounding.tolist() == [pytest.approx(0.125, rel=1e-6), 0, 0, 0]


@pytest.mark.parametrize(("values", "is_known"), [([0.0, 4.0], False), ([0.0, 4.0, 8.0], True)])
def test_rounding_is_known_if_three_rows_are_steady(values, is_known):
    assert _sums([*values, LOST]).of(0, "y").is_known == is_known


def test_output_without_rows_counts_as_one():
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, {"y": ops.sum(inputs)})
    exact, _ = exact_outputs(model, 1, 3, 16)
    assert [exact.of(index, "y").unsteady.shape for index in range(3)] == [(1,)] * 3
    assert exact.of(0, "y").is_known


def test_large_rows_are_run_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr("keras_bin.export.verifying.exact_outputs.MOST_ELEMENTS", 8)
    inputs = keras.Input((4,), name="x")
    function, sizes = Reference.exact_function, []

    def watched(reference):
        run = function(reference)
        return lambda batch: sizes.append(len(batch["x"])) or run(batch)

    monkeypatch.setattr(Reference, "exact_function", watched)
    exact, (expected,) = exact_outputs(keras.Model(inputs, {"y": inputs * 3.0}), 5)
    np.testing.assert_allclose(exact.of(0, "y").values, expected["y"], rtol=1e-6)
    assert sizes == [2, 2, 1]


def test_what_has_one_precision_alone_is_computed_between_casts():
    """TensorFlow's bilinear resizing returns only float32."""
    inputs = keras.Input((4, 4, 1), name="x")
    y = layers.UpSampling2D(interpolation="bilinear")(inputs + 1.0) * 3.0
    exact, (expected,) = exact_outputs(keras.Model(inputs, {"y": y}), 3)
    np.testing.assert_allclose(exact.of(0, "y").values, expected["y"], rtol=1e-5, atol=1e-5)
    assert exact.of(0, "y").values.dtype == "float64"


def _single(x):
    import tensorflow as tf

    return tf.ensure_shape(tf.numpy_function(np.float32, [x], tf.float32), x.shape)


def test_model_that_does_not_run_in_float64_says_why():
    inputs = keras.Input((3,), name="x")
    exact, _ = exact_outputs(keras.Model(inputs, {"y": layers.Lambda(_single)(inputs)}), 2)
    assert exact.of(0, "y") is None
    assert "does not run in float64: " in exact.unavailable


def test_output_that_is_not_finite_in_float64_is_no_measure():
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, {"y": ops.where(inputs + 1e-9 > inputs, np.nan, inputs)})
    exact, _ = exact_outputs(model, 2)
    assert exact.of(0, "y") is None
    assert exact.unavailable == "its output 'y' is not the same in float64"


def test_source_model_stays_in_its_precision():
    model = KINDS["functional"]()
    exact, _ = exact_outputs(model, 2)
    exact.of(0, "head")
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert model.input_shape == (None, *IMAGE)
