"""Gates that are moved to 0 and 1: which, how many, and what remains of their layers."""

import keras
import numpy as np
import pytest

from keras_bin.export import LayerFold, fold, fold_report
from testing.weights import randomize
from tests.export.custom_layers import Rectified
from tests.export.kinds import bin_model
from tests.export.values import arrays, predict


@pytest.mark.parametrize(
    ("tolerance", "became", "snapped"),
    [
        (0.0, "batch-instance normalization", 0),
        (0.0625, "batch-instance normalization", 2),
        (0.125, "affine map", 3),
    ],
)
def test_gates_within_the_tolerance_are_snapped_and_counted(tolerance, became, snapped):
    model = bin_model()
    model.get_layer("bin").rho.assign([0.9375, 0.96875, 0.875])
    (report,) = fold_report(model, rho_tolerance=tolerance)
    assert (report.became, report.snapped, report.channels) == (became, snapped, 3)
    twin = bin_model()
    rho = np.asarray(model.get_layer("bin").rho)
    twin.get_layer("bin").rho.assign(np.where(rho >= 1 - tolerance, 1, rho))
    (x,) = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(fold(model, tolerance), [x])[0], predict(twin, [x])[0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("outside", [-0.25, 1.25])
def test_gates_outside_the_unit_interval_are_clipped_and_count_as_unmoved(outside):
    model = bin_model(outside)
    (report,) = fold_report(model, rho_tolerance=0.1)
    assert report.snapped == 0
    assert report.became == ("affine map" if outside > 1 else "instance normalization")


@pytest.mark.parametrize(
    ("rho", "tolerance", "became"),
    [
        (0.05, 0.05, "instance normalization"),
        (0.1, 0.1, "instance normalization"),
        (0.95, 0.05, "affine map"),
        (0.9, 0.1, "affine map"),
    ],
)
def test_float32_gate_at_the_tolerance_is_moved_in_the_folded_model_too(rho, tolerance, became):
    model = bin_model(rho)
    (report,) = fold_report(model, tolerance)
    assert (report.became, report.snapped) == (became, 3)
    assert fold(model, tolerance).layers[-1].instance == (became == "instance normalization")


@pytest.mark.parametrize("function", [fold, fold_report])
@pytest.mark.parametrize("tolerance", [-0.1, 0.5, float("nan"), "0"], ids=repr)
def test_tolerance_out_of_range_is_refused(tolerance, function):
    with pytest.raises(ValueError, match=rf"below 0\.5.*rho_tolerance={tolerance!r}$"):
        function(bin_model(), tolerance)


def test_gates_of_an_unfolded_layer_are_counted_too_and_reported_once():
    model = randomize(keras.Sequential([keras.Input((8, 6, 4)), Rectified(name="own")]))
    model.get_layer("own").rho.assign([0.0, 0.05, 0.5, 1.0])
    (report,) = fold_report(model, rho_tolerance=0.1)
    assert report == LayerFold(
        model.get_layer("own").path,
        "Rectified",
        "unfolded",
        reason="it overrides `call`, so it stays as it is",
        channels=4,
        snapped=1,
    )
