"""Layers with dtypes of their own: what is absorbed between them keeps dtypes and digits."""

import numpy as np
import pytest
from keras import layers

from keras_bin.export import fold, fold_report
from tests.export.custom_layers import around
from tests.export.kinds import BIN
from tests.export.values import arrays, predict

BN = layers.BatchNormalization


def assert_folded(model, tolerance):
    values = arrays(model, 3)
    (expected,), (got,) = predict(model, values), predict(fold(model), values)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("after", [[], [layers.ReLU(dtype="float64")]], ids=["output", "inside"])
def test_float64_layers_stay_float64_whatever_the_default_policy(after):
    model = around(layers.Conv2D(4, 3, dtype="float64"), BN(dtype="float64"), *after)
    assert [each.became for each in fold_report(model)] == ["absorbed"]
    # float64 on both sides, values up to 10.
    assert_folded(model, 1e-12)


@pytest.mark.parametrize(
    "dtypes",
    [
        ("float32", "float32", "float64"),
        ("float64", "float64", "float32"),
        ("float64", "float32", "float64"),
    ],
    ids=["raised", "lowered", "lowered between"],
)
@pytest.mark.parametrize("normalization", [BN, BIN])
def test_layer_before_of_another_dtype_absorbs_nothing(normalization, dtypes):
    conv, between, norm = dtypes
    model = around(
        layers.Conv2D(4, 3, dtype=conv, name="conv"),
        layers.Dropout(0.5, dtype=between),
        normalization(dtype=norm, name="norm"),
    )
    (report,) = fold_report(model)
    if normalization is BN and "Cast" not in report.reason:  # an operation of its own in Keras 3.9
        assert report.reason == f"dtypes change from Conv2D 'conv' to the layer: {dtypes}"
    bias = fold(model).get_layer("conv").bias
    np.testing.assert_array_equal(bias, model.get_layer("conv").bias)
    # float32 rounding of values up to 10.
    assert_folded(model, 1e-5)


def test_half_precision_before_float32_is_absorbed():
    model = around(layers.Conv2D(4, 3, dtype="mixed_float16"), BN(dtype="float32"))
    (report,) = fold_report(model)
    assert report.became == "absorbed" or "Cast" in report.reason  # an operation in Keras 3.9
    # float16 rounding of sums of values up to 10.
    assert_folded(model, 2e-2)
