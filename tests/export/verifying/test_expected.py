"""What a model computes: its outputs by name, and the same without rounding."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export.signature import model_signature
from keras_bin.export.verifying.expected import ExactOutputs, expected_outputs
from keras_bin.export.verifying.verify import reference
from tests.export.models import HALF_KINDS, IMAGE, KINDS
from tests.export.values import arrays


class Float32Only(layers.Layer):
    """Multiplies by a constant that does not follow the layer's dtype."""

    def call(self, inputs):
        import tensorflow as tf

        return tf.matmul(inputs, tf.eye(3, dtype="float32"))


def exact_outputs(model, *batch_sizes):
    """Makes exact outputs, with a batch of each size."""
    signature = model_signature(model)
    names = [info.name for info in signature.inputs]
    batches = [dict(zip(names, arrays(model, size), strict=True)) for size in batch_sizes]
    return ExactOutputs(model, signature, batches), batches


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_runs_in_float64(kind):
    model = reference(KINDS[kind]())
    exact, (batch,) = exact_outputs(model, 3)
    for name, values in expected_outputs(model, model_signature(model), batch).items():
        found = exact.of(batch, name)
        assert found.values.dtype == "float64"
        # float32 rounding of values up to 20.
        np.testing.assert_allclose(found.values, values, rtol=1e-5, atol=1e-5)
        assert found.rounding == np.abs(found.values - values).max()
        assert found.largest == np.abs(values).max()
    assert exact.unavailable == ""


def test_half_precision_model_is_rounded_as_in_float32():
    model = reference(HALF_KINDS["mixed_float16"]())
    exact, (batch,) = exact_outputs(model, 3)
    # Half precision would leave 1e-3.
    assert 0 < exact.of(batch, model.output_names[0]).rounding < 1e-5


def test_exact_values_have_more_digits_than_float32():
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": (inputs + 1.0) * 3.0})
    batch = {"x": np.array([[2**-20]], "float32")}
    exact = ExactOutputs(model, model_signature(model), [batch]).of(batch, "y")
    assert exact.values[0, 0] == 3 + 3 * 2**-20
    batch = {"x": np.array([[2**-30]], "float32")}
    exact = ExactOutputs(model, model_signature(model), [batch]).of(batch, "y")
    assert exact.values[0, 0] == 3 + 3 * 2**-30
    assert exact.rounding == 3 * 2**-30


def test_rounding_is_the_largest_of_all_batches():
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": inputs + 1.0})
    batches = [{"x": np.array([[value]], "float32")} for value in (0.0, 2**-30, 7.0)]
    exact = ExactOutputs(model, model_signature(model), batches)
    found = [exact.of(batch, "y") for batch in batches]
    assert [x.rounding for x in found] == [2**-30] * 3
    assert [x.largest for x in found] == [8.0] * 3
    assert [x.values.item() for x in found] == [1.0, 1.0 + 2**-30, 8.0]


def test_model_that_does_not_run_in_float64_says_why():
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, {"y": Float32Only()(inputs)})
    exact, (batch,) = exact_outputs(model, 2)
    assert exact.of(batch, "y") is None
    assert "does not run in float64" in exact.unavailable
    assert "float" in exact.unavailable.split(": ", 1)[1]


def test_output_that_is_not_finite_in_float64_is_no_measure():
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, {"y": ops.where(inputs + 1e-9 > inputs, np.nan, inputs)})
    exact, (batch,) = exact_outputs(model, 2)
    assert exact.of(batch, "y") is None
    assert exact.unavailable == "its output 'y' is not the same in float64"


def test_copy_is_made_only_when_asked_for(monkeypatch):
    monkeypatch.setattr("keras_bin.export.verifying.expected.inference_copy", None)
    exact, (batch,) = exact_outputs(KINDS["functional"](), 2)
    assert exact.unavailable == ""
    assert exact.of(batch, "head") is None
    assert "NoneType" in exact.unavailable


def test_source_model_stays_in_its_precision():
    model = KINDS["functional"]()
    exact, (batch,) = exact_outputs(model, 2)
    exact.of(batch, "head")
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert model.input_shape == (None, *IMAGE)
