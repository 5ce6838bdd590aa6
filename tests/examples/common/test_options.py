"""The command line that experiments share."""

import sys
from argparse import ArgumentTypeError

import pytest

from common.options import add_quick, option_parser, positive, read_options


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
        "seeds 0 to N-1 (default: 5)",
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
