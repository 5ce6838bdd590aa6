"""Gates as they are exported: clipped, moved to the ends, and in force without a change."""

import numpy as np
import pytest

from keras_bin.export.models.exported_gates import ExportedGates, gate_change
from keras_bin.export.results.layer_report import GateChange
from tests.export.kinds import bin_model, classifier

CHANGES = {
    "none": ([0.0, 0.5, 1.0], 0.0, (0, 0), [0, 0.5, 1]),
    "clipped": ([-0.1, 0.5, 1.17], 0.0, (2, 0), [0, 0.5, 1]),
    "moved": ([0.04, 0.5, 0.97], 0.05, (0, 2), [0, 0.5, 1]),
    "both": ([-2.0, 0.04, 1.0], 0.05, (1, 1), [0, 0, 1]),
    "left": ([-2.0, 0.04, 3.0], None, (0, 0), [-2.0, 0.04, 3.0]),
}


@pytest.mark.parametrize(("rho", "tolerance", "counts", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes_are_counted_and_in_force(rho, tolerance, counts, expected):
    model = bin_model()
    layer = model.get_layer("bin")
    layer.rho.assign(rho)
    gates = ExportedGates(model, tolerance)
    assert gates.change(layer) == gate_change(layer, tolerance) == GateChange(*counts)
    assert gates.changed == any(counts)
    with gates.in_force():
        np.testing.assert_array_equal(layer.rho, np.float32(expected))
    np.testing.assert_array_equal(layer.rho, np.float32(rho))
    (summary,) = gates.summaries()
    assert (summary.minimum, summary.maximum) == (
        min(np.float32(expected)),
        max(np.float32(expected)),
    )


def test_layer_without_gates_has_no_change():
    model = classifier()
    assert ExportedGates(model).change(model.get_layer("conv1")) == GateChange(0, 0)
    assert gate_change(model.get_layer("conv1")) == GateChange(0, 0)
