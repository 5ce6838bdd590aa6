"""The command line that experiments share."""

import sys
from argparse import ArgumentTypeError

import pytest

from common.options import (
    above_zero,
    add_norms,
    add_quick,
    option_parser,
    positive,
    read_options,
    seed_range,
    zero_or_more,
    zero_to_one,
)


def parser():
    made = option_parser("program.py", "What it does.", seeds=5, folder="output/program")
    add_quick(made, "1 epoch")
    return made


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_counts_are_positive_integers(text):
    with pytest.raises(ArgumentTypeError, match=f"must be an integer above 0. Received: '{text}'"):
        positive(text)


def test_help_shows_defaults_an_example_and_what_quick_means(capsys):
    with pytest.raises(SystemExit, match="0"):
        read_options(parser(), ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for expected in (
        "N seeds from 0 on, or with those from A to B if it is A-B (default: 5)",
        "(default: examples/output/program)",
        "example: python examples/program.py --seeds",
        "1 epoch; its claims are not judged",
    ):
        assert expected in text


def test_options_remember_the_command(tmp_path, monkeypatch):
    arguments = ["--seeds", "2", "--output", str(tmp_path / "my results")]
    expected = f"python examples/program.py --seeds 2 --output '{tmp_path / 'my results'}'"
    assert read_options(parser(), arguments).command == expected
    monkeypatch.setattr(sys, "argv", ["examples/program.py", *arguments])
    assert read_options(parser(), None).command == expected


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", range(3)), ("3-4", range(3, 5)), ("100-100", range(100, 101))]
)
def test_seeds_are_a_number_or_the_first_and_the_last(text, seeds):
    assert seed_range(text) == seeds


@pytest.mark.parametrize("text", ["0", "4-3", "-1", "3-", "1.5", ""])
def test_other_seeds_are_refused(text):
    with pytest.raises(ArgumentTypeError, match=f"as in 3-4. Received: '{text}'"):
        seed_range(text)


def test_default_may_be_a_range_of_seeds(capsys):
    made = option_parser("program.py", "What it does.", range(100, 102), "output/program")
    assert made.parse_args([]).seeds == range(100, 102)
    assert made.parse_args(["--seeds", "3"]).seeds == range(100, 103)
    with pytest.raises(SystemExit, match="0"):
        made.parse_args(["--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    assert "N seeds from 100 on" in help_text
    assert "(default: 100-101)" in help_text
    assert "--seeds 100-101 --output DIR" in help_text


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (above_zero, "0.03", 0.03),
        (zero_or_more, "0", 0),
        (zero_to_one, "0", 0),
        (zero_to_one, "1", 1),
    ],
)
def test_numbers_are_read(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "rule"),
    [
        *((above_zero, text, "a number above 0") for text in ("0", "-1", "inf", "nan", "many")),
        *((zero_or_more, text, "a number, 0 or more") for text in ("-1", "inf", "nan", "many")),
        *((zero_to_one, text, "from 0 to 1") for text in ("-0.1", "1.1", "nan", "many")),
    ],
)
def test_other_numbers_are_refused(read, text, rule):
    with pytest.raises(ArgumentTypeError, match=f"{rule}. Received: '{text}'"):
        read(text)


def test_norms_are_named_in_any_case_with_hyphens_for_spaces(capsys):
    made = parser()
    add_norms(made, ["BN", "IN first"])
    assert made.parse_args([]).norm is None
    assert made.parse_args(["--norm", "In-First", "bn"]).norm == ["IN first", "BN"]
    with pytest.raises(SystemExit, match="2"):
        made.parse_args(["--norm", "ln"])
    assert "must be among bn, in-first. Received: 'ln'" in capsys.readouterr().err


def test_other_data_have_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("common.options.EXAMPLES", tmp_path)
    made = parser()
    made.add_argument("--data", default="digits")
    output, fashion = tmp_path / "output" / "program", ["--data", "fashion"]
    folders = [
        read_options(made, arguments).output
        for arguments in ([], fashion, [*fashion, "--output", str(output)])
    ]
    assert folders == [output, tmp_path / "output" / "program_fashion", output]
    assert all(folder.is_dir() for folder in folders)


def test_repeated_norms_are_compared_once(tmp_path):
    made = parser()
    add_norms(made, ["BN", "BIN"])
    arguments = ["--norm", "bin", "bn", "bin", "--output", str(tmp_path)]
    assert read_options(made, arguments).norm == ["BIN", "BN"]
