"""What a comparison has found: summed up, as plain values, and as a table."""

import dataclasses
import json
import math

import pytest
from rich.console import Console

from keras_bin.export import OutputCheck, Verification

RIGHT = OutputCheck("a", 1, (1, 2), 1e-6, 2e-5, (0, 1), 0.5, 0.500001, None, True)
ROUNDED = OutputCheck("b", 1, (1,), 3e-3, 1e-3, (0,), 3.0, 3.003, 1e-3, True)
WRONG = OutputCheck("a", 3, (3, 2), 0.25, 0.5, (2, 0), 0.5, 0.75, None, False)
NOT_FINITE = OutputCheck("b", 3, (3,), math.inf, math.inf, (1,), -2.0, math.nan, None, False)
EMPTY = OutputCheck("a", 1, (1, 0), 0.0, 0.0, None, None, None, None, True)


def found(*checks):
    return Verification(checks, 1e-4, 1e-3)


def printed(renderable):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.mark.parametrize(
    ("checks", "figures"),
    [
        ((), (True, 0.0, 0.0, 0)),
        ((RIGHT, ROUNDED), (True, 3e-3, 1e-3, 1)),
        ((RIGHT, ROUNDED, WRONG, ROUNDED), (False, 0.25, 0.5, 2)),
        ((RIGHT, ROUNDED, WRONG, NOT_FINITE), (False, math.inf, math.inf, 2)),
    ],
    ids=["nothing", "right", "wrong", "not finite"],
)
def test_sums_are_over_all_outputs_and_batches(checks, figures):
    total = found(*checks)
    assert (total.passed, total.max_abs, total.max_rel, total.samples) == figures


@pytest.mark.parametrize(
    ("checks", "used"),
    [((RIGHT,), False), ((RIGHT, ROUNDED), True), ((ROUNDED._replace(passed=False),), False)],
    ids=["tolerance", "rounding", "neither"],
)
def test_rounding_counts_as_used_where_an_output_passed_by_it(checks, used):
    assert found(*checks).used_rounding == used


def test_plain_values_survive_strict_json():
    plain = found(RIGHT, ROUNDED, WRONG, NOT_FINITE, EMPTY).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (plain["passed"], plain["samples"], plain["max_abs"]) == (False, 3, "inf")
    assert (plain["atol"], plain["rtol"]) == (1e-4, 1e-3)
    assert plain["outputs"][0] == {
        "name": "a",
        "batch": 1,
        "shape": [1, 2],
        "max_abs": 1e-6,
        "max_rel": 2e-5,
        "worst": [0, 1],
        "expected": 0.5,
        "got": 0.500001,
        "rounding": None,
        "passed": True,
        "unsteady": 0,
    }
    assert plain["outputs"][3]["got"] == "nan"
    assert plain["outputs"][4]["worst"] is None


def test_table_has_a_row_for_each_output_and_batch():
    table = printed(found(RIGHT, ROUNDED, WRONG, NOT_FINITE, EMPTY))
    rows = [line for line in table.splitlines() if "right" in line or "wrong" in line]
    assert [row.split("│")[1].strip() for row in rows] == ["a", "b", "a", "b", "a"]
    assert ["wrong" in row for row in rows] == [False, False, True, True, False]
    for figure in ("3, 2", "0.25", "0.5", "2, 0", "0.75"):
        assert figure in rows[2]
    assert "nan" in rows[3]
    assert "0.001" in rows[1]


def test_text_is_a_table():
    title, heading, *rows = str(found(RIGHT, WRONG)).splitlines()
    assert title == "Difference from the Keras model (allowed: 0.0001 + 0.001 * value)"
    assert heading.split()[:2] == ["output", "shape"]
    assert [row.split()[-1] for row in rows] == ["right", "wrong"]


@pytest.mark.parametrize(("rows", "said"), [(0, False), (5, True)], ids=str)
def test_rows_that_tell_little_are_counted(rows, said):
    check = ROUNDED._replace(unsteady=rows)
    for text in (str(check), " ".join(printed(found(check)).replace("│", " ").split())):
        assert ("more on 5 rows" in text) == said


@pytest.mark.parametrize(
    ("check", "said"), [(ROUNDED, True), (RIGHT, False)], ids=["rounding", "tolerance"]
)
def test_title_states_the_rule(check, said):
    title = " ".join(printed(found(check)).split("┏")[0].split())
    assert "0.0001 + 0.001 * value" in title
    assert ("or the model's rounding" in title) == said


def test_names_are_not_taken_for_markup():
    assert "[red]odd" in printed(found(RIGHT._replace(name="[red]odd")))


def test_notebook_shows_the_table_and_escapes_names():
    shown = found(RIGHT._replace(name="<i>&"), WRONG)._repr_html_()
    assert "(allowed: 0.0001 + 0.001 * value)</caption>" in shown
    assert "&lt;i&gt;&amp;</td>" in shown
    assert [shown.count(f">{word}</td>") for word in ("right", "wrong")] == [1, 1]


def test_line_holds_every_figure():
    assert str(NOT_FINITE) == (
        "'b', batch of 3: largest absolute difference inf, relative inf; "
        "worst at (1,): expected -2, got nan"
    )
    assert str(ROUNDED).endswith("expected 3, got 3.003; rounding of the model 0.001")
    assert str(EMPTY).endswith("relative 0")


def test_result_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        found(RIGHT).atol = 1.0
