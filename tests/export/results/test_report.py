"""What an export says that it did: in a line, as plain values and as a table."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

import keras_bin
from keras_bin.export import ExportReport, OutputCheck, Verification
from keras_bin.export.results.layer_report import (
    ABSORBED,
    AFFINE,
    MIXED,
    UNFOLDED,
    FoldReport,
    LayerFold,
)

CHECK = OutputCheck("y", 1, (1,), 1.5e-6, 3.5e-5, (0,), 0.5, 0.5000015, None, True)
LAYERS = (
    LayerFold("stem/norm", "BatchNormalization", ABSORBED, "stem/conv", "", 4, has_gates=False),
    LayerFold("first", "BatchInstanceNormalization", ABSORBED, "conv", "", channels=8, snapped=2),
    LayerFold("second", "BatchInstanceNormalization", AFFINE, None, "no layer before", 8),
    LayerFold("third", "BatchInstanceNormalization", MIXED, channels=16),
    LayerFold("fourth", "BatchInstanceNormalization", UNFOLDED, None, "[own] call", 16),
    LayerFold("<fifth>", "OwnNormalization", AFFINE, None, "a & b", 2, has_gates=False),
)
REPORT = ExportReport(
    path=Path("models", "digits", "7"),
    layers=LAYERS,
    verification=Verification((CHECK,), 1e-4, 1e-3),
    rho=(keras_bin.RhoSummary("third", 16, 0.5, 0.0, 1.0, 1, 2, 3, 4),),
    seconds=2.345,
    cast_to_float32=False,
    size=8,
)


def test_line_holds_every_figure():
    line = REPORT.summary
    assert "\n" not in line
    assert line.startswith(f"{Path('models', 'digits', '7')}: ")
    for figure in (
        "folded: 3, ",
        "absorbed: 1 of 2;",
        "1.5e-06 absolute",
        "3.5e-05 relative",
        "0.0001 + 0.001",
        "2.3 s",
    ):
        assert figure in line


@pytest.mark.parametrize("cast", [True, False])
def test_line_says_if_the_dtype_changed(cast):
    line = str(dataclasses.replace(REPORT, cast_to_float32=cast))
    assert ("cast to float32" in line) == cast


@pytest.mark.parametrize("rounding", [1e-3, None])
def test_line_says_if_rounding_was_allowed(rounding):
    found = Verification((CHECK._replace(rounding=rounding),), 1e-4, 1e-3)
    line = str(dataclasses.replace(REPORT, verification=found))
    assert ("or the model's rounding" in line) == (rounding is not None)


def test_figures_are_those_of_the_verification_and_the_layers():
    assert (REPORT.max_abs_difference, REPORT.max_rel_difference) == (1.5e-6, 3.5e-5)
    assert (REPORT.atol, REPORT.rtol) == (1e-4, 1e-3)
    assert REPORT.layers_folded == 3


def test_plain_values_survive_strict_json():
    plain = REPORT.as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["path"] == str(Path("models", "digits", "7"))
    assert plain["layers_folded"] == 3
    assert (plain["batch_normalizations"], plain["batch_normalizations_absorbed"]) == (2, 1)
    assert plain["layers"][1]["snapped"] == 2
    assert plain["rho"][0]["near_one"] == 4
    assert plain["verification"] == REPORT.verification.as_dict()


def test_table_has_a_row_for_each_layer_and_says_why():
    console = Console(width=160)
    with console.capture() as capture:
        console.print(REPORT)
    rows = [line for line in capture.get().splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    kind = "BatchInstanceNormalization"
    assert cells == [
        ["stem/norm", "BatchNormalization", "4", "absorbed into stem/conv", ""],
        ["first", kind, "8", "absorbed into conv", "rho moved to 0 or 1 in 2 channels"],
        ["second", kind, "8", "affine map", "no layer before"],
        ["third", kind, "16", "batch-instance normalization", ""],
        ["fourth", kind, "16", "unfolded", "[own] call"],
        ["<fifth>", "OwnNormalization", "2", "affine map", "a & b"],
    ]


def test_notebook_shows_the_summary_both_tables_and_escapes_names():
    shown = REPORT._repr_html_()
    for text in (
        f"<p>{Path('models', 'digits', '7')}: BIN layers folded: 3, ",
        "What became of each normalization layer</caption>",
        ">absorbed into stem/conv</td>",
        ">&lt;fifth&gt;</td>",
        ">a &amp; b</td>",
        "Difference from the Keras model (allowed: 0.0001 + 0.001 * value)</caption>",
    ):
        assert text in shown


def test_report_without_layers_has_no_empty_table():
    shown = dataclasses.replace(REPORT, layers=())._repr_html_()
    assert shown.count("<table>") == 1
    assert "absorbed" not in shown


def test_printed_report_says_why_each_layer_was_not_absorbed():
    assert str(REPORT).splitlines() == [
        REPORT.summary,
        "  second: no layer before",
        "  fourth: [own] call",
        "  <fifth>: a & b",
    ]


def test_fold_report_is_a_list_that_prints_as_a_table():
    report = FoldReport(LAYERS[-2:])
    assert report == list(LAYERS[-2:])
    assert str(report).splitlines() == [
        "BIN layers folded: 0, BatchNormalization layers absorbed: 0 of 1",
        "layer    class                       channels  became      why",
        "fourth   BatchInstanceNormalization        16  unfolded    [own] call",
        "<fifth>  OwnNormalization                   2  affine map  a & b",
    ]
    assert ">&lt;fifth&gt;</td>" in report._repr_html_()


def test_report_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPORT.seconds = math.pi
