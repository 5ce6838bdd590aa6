"""What an export starts from, and what moving gates to 0 and 1 costs."""

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin.export import fold
from keras_bin.export.folding.layer_fold import INSTANCE, MIXED
from keras_bin.export.onnx_files.lowering import MarkedBatchInstanceNormalization
from keras_bin.export.source import ExportSource
from tests import reference
from tests.export.models import BIN, HALF_KINDS, IMAGE, KINDS, bin_model
from tests.export.values import arrays, layers_of, predict, randomize


def nearly_zero():
    """A model whose gates are within 0.125 of 0, and samples of its input."""
    model = bin_model()
    model.get_layer("bin").rho.assign([0.0, 0.1, 0.05])
    return model, {"image": arrays(model, 5)[0]}


def test_difference_is_that_of_the_formula_with_moved_gates():
    model, samples = nearly_zero()
    weights = reference.Weights(*(np.array(w) for w in model.get_layer("bin").weights))
    moved = weights._replace(rho=np.zeros(3))
    exact, snapped = (
        reference.forward(samples["image"], each, training=False) for each in (weights, moved)
    )
    found = ExportSource(model, rho_tolerance=0.125).snapping_difference(samples)
    # The difference of two float32 values up to 10.
    np.testing.assert_allclose(found, np.abs(exact - snapped).max(), rtol=0, atol=1e-5)
    assert found > 0.01


@pytest.mark.parametrize("tolerance", [0.0, 0.04], ids=["default", "too small"])
def test_gates_that_stay_cost_nothing(tolerance):
    model, samples = nearly_zero()
    assert ExportSource(model, tolerance).snapping_difference(samples) is None


def test_difference_is_measured_on_made_up_inputs_without_samples():
    model, _ = nearly_zero()
    assert 0.01 < ExportSource(model, rho_tolerance=0.125).snapping_difference(None) < 10


def test_largest_difference_of_all_outputs_counts_whatever_their_dtype():
    inputs = keras.Input(IMAGE, name="image")
    y = BIN(name="bin")(inputs)
    outputs = {"above": y > 1.0, "level": keras.ops.cast(keras.ops.abs(y), "uint8"), "y": 0.0 * y}
    model = randomize(keras.Model(inputs, outputs), rho=0.1)
    source = ExportSource(model, rho_tolerance=0.125)
    samples = {"image": arrays(model, 5)[0]}
    steps = source.snapping_difference(samples)
    assert steps == int(steps)
    assert 1 <= steps < 20  # as uint8, one step down would be 255


def test_both_models_have_the_moved_gates():
    model, samples = nearly_zero()
    source = ExportSource(model, rho_tolerance=0.125)
    assert [(fold.became, fold.snapped) for fold in source.layers] == [(INSTANCE, 2)]
    assert [(rho.layer, rho.at_zero) for rho in source.rho] == [("bin", 3)]
    values = [samples["image"]]
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(source.folded, values)[0],
        predict(source.reference, values)[0],
        rtol=1e-5,
        atol=1e-5,
    )
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.float32([0, 0.1, 0.05]))


def test_model_that_needs_no_change_is_its_own_reference():
    model = bin_model()
    source = ExportSource(model)
    assert source.reference.get_layer("bin") is model.get_layer("bin")
    assert [fold.became for fold in source.layers] == [MIXED]


def test_folded_layers_are_of_the_asked_class():
    source = ExportSource(KINDS["nested_twice"](), layer_class=MarkedBatchInstanceNormalization)
    assert len(layers_of(source.folded, MarkedBatchInstanceNormalization)) == 3
    assert not layers_of(source.folded, keras_bin.FoldedBatchInstanceNormalization)


def test_layers_that_were_folded_before_are_of_the_asked_class_too():
    folded = fold(KINDS["time_distributed"]())
    source = ExportSource(folded, layer_class=MarkedBatchInstanceNormalization)
    assert len(layers_of(source.folded, MarkedBatchInstanceNormalization)) == 1
    folded = fold(KINDS["nested_twice"]())
    source = ExportSource(folded, layer_class=MarkedBatchInstanceNormalization)
    assert len(layers_of(source.folded, MarkedBatchInstanceNormalization)) == 3


def test_half_precision_is_announced():
    model = HALF_KINDS["mixed_float16"]()
    with pytest.warns(UserWarning, match=f"'{model.name}' computes in half precision"):
        source = ExportSource(model)
    assert source.folded.outputs[0].dtype == "float32"
