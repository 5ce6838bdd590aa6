"""What an export says that it did."""

import dataclasses
from pathlib import Path

import pytest

from keras_bin.export import ExportReport

REPORT = ExportReport(
    path=Path("models", "digits", "7"),
    layers_folded=4,
    max_abs_difference=1.5e-6,
    max_rel_difference=3.5e-5,
    atol=1e-4,
    rtol=1e-3,
    seconds=2.345,
    cast_to_float32=False,
)


def test_line_holds_every_figure():
    line = str(REPORT)
    assert "\n" not in line
    assert line.startswith(f"{Path('models', 'digits', '7')}: ")
    for figure in ("folded: 4", "1.5e-06 absolute", "3.5e-05 relative", "0.0001 + 0.001", "2.3 s"):
        assert figure in line


@pytest.mark.parametrize("cast", [True, False])
def test_line_says_if_the_dtype_changed(cast):
    line = str(dataclasses.replace(REPORT, cast_to_float32=cast))
    assert ("cast to float32" in line) == cast


def test_report_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPORT.layers_folded = 5
