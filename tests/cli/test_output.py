"""Where results, warnings and errors are printed, and how errors become one line."""

import json

import pytest
from rich.table import Table

from keras_bin.export import OutputCheck, ValuesError, Verification
from keras_bin_cli.output import Output

CHECK = OutputCheck("y", 1, (1,), 0.5, 0.25, (0,), 2.0, 2.5, None, False)
FOUND = Verification((CHECK,), 1e-4, 1e-4)
ERROR = ValuesError("Values must be right. Wrong are:", ["first", "second"], FOUND)


def test_texts_stay_as_they_are_and_tables_are_wide(capsys):
    table = Table("name")
    table.add_row("x" * 150)
    output = Output()
    output.show("[red] " + "y" * 200, table)
    assert output.close() == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("[red] " + "y" * 200 + "\n")
    assert "x" * 150 in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("option", ["json", "quiet"])
def test_results_are_not_printed(option, capsys):
    output = Output(**{option: True})
    output.show("text")
    output.close()
    assert "text" not in capsys.readouterr().out


@pytest.mark.parametrize(("quiet", "lines"), [(False, 1), (True, 0)], ids=["heard", "quiet"])
def test_warnings_are_printed_unless_quiet(quiet, lines, capsys):
    Output(quiet=quiet).warn("[careful]")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "keras-bin: warning: [careful]\n" * lines


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\n  second"), "first second"),
        (ERROR, "Values must be right. Wrong are: first; second"),
        (ZeroDivisionError("by 0"), "ZeroDivisionError: by 0 (--debug shows where)"),
    ],
    ids=["two lines", "verification", "unexpected"],
)
def test_error_is_one_line(error, line, capsys):
    Output().fail(error)
    assert capsys.readouterr().err == f"keras-bin: error: {line}\n"


def test_differences_that_a_table_shows_are_not_repeated(capsys):
    output = Output()
    output.show(FOUND)
    output.fail(ERROR)
    assert output.close() == 1
    printed = capsys.readouterr()
    assert "wrong" in printed.out
    assert printed.err == "keras-bin: error: Values must be right. Wrong are in the table\n"


def test_table_that_was_not_printed_is_not_referred_to(capsys):
    output = Output(quiet=True)
    output.show(FOUND)
    output.fail(ERROR)
    assert capsys.readouterr().err.endswith("Wrong are: first; second\n")


def test_debug_keeps_lines_apart(capsys):
    Output(debug=True).fail(ValueError("first\n  second"))
    assert capsys.readouterr().err.endswith("keras-bin: error: first\n  second\n")


def test_json_is_one_object_with_the_error(capsys):
    output = Output(json=True)
    output.data["path"] = "x"
    output.fail(ERROR)
    capsys.readouterr()
    assert output.close() == 1
    assert json.loads(capsys.readouterr().out) == {
        "path": "x",
        "error": {"type": "ValuesError", "message": str(ERROR)},
    }


def test_nothing_is_closed_without_json(capsys):
    Output().close()
    assert capsys.readouterr().out == ""
