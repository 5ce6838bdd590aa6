"""One data structure becomes a table, Markdown and JSON, and files that are complete or absent."""

import json
import os

import pytest
from rich.console import Console

from benchmarks.plan import QUICK
from benchmarks.report import (
    Section,
    cell,
    command_line,
    document,
    rich_table,
    skipped,
    to_json,
    to_markdown,
    write,
)
from benchmarks.timing import Spread, Timing

SECTION = Section(
    "layer",
    "one layer",
    "With care.",
    [
        {"name": "ours", "8x8": Timing(Spread(1.5, 1, 2)), "n": 3},
        {"name": "peer", "8x8": Timing(Spread(3, 2, 4), Spread(0.5, 0.4, 0.6)), "mean": 0.5123},
    ],
)


@pytest.fixture
def run():
    return document([SECTION, skipped("jax", "under JAX", "no JAX")], QUICK, "python -m b", "GPU 7")


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.51234, "0.512"), (1234567, "1234567"), ("a", "a")]
)
def test_cell(value, text):
    assert cell(value) == text


def test_columns_are_those_of_all_rows():
    assert SECTION.columns == ["name", "8x8", "n", "mean"]


def test_screen_shows_every_value():
    console = Console(width=100)
    with console.capture() as captured:
        console.print(rich_table(SECTION))
    text = captured.get()
    for part in ("one layer", "With care.", "1.5 ms", "3 ms, 0.5 [0.4, 0.6]", "0.512"):
        assert part in text


def test_markdown_has_a_table_for_each_section_and_tells_what_was_skipped(run):
    text = to_markdown(run)
    assert "`python -m b` on GPU 7" in text
    assert "| name | 8x8 | n | mean |\n| --- | --- | --- | --- |\n| ours | 1.5 ms | 3 |  |" in text
    assert "## jax: under JAX\n\nSkipped: no JAX.\n" in text


def test_json_holds_medians_spread_and_ratios(run):
    read = json.loads(to_json(run))
    assert read["command"] == "python -m b"
    assert read["plan"]["rounds"] == QUICK.rounds
    peer = read["sections"][0]["rows"][1]
    assert peer["8x8"]["ms"] == {"value": 3, "low": 2, "high": 4}
    assert peer["8x8"]["ratio"] == {"value": 0.5, "low": 0.4, "high": 0.6}


def test_json_refuses_what_json_cannot_hold(run):
    with pytest.raises(ValueError, match="JSON"):
        to_json({**run, "plan": {"means": float("nan")}})


def test_files_are_named_for_date_device_and_sections(run, tmp_path):
    files = write(run, ["layer"], tmp_path / "results")
    names = [f"{run['date']}-gpu-7-layer{ending}" for ending in (".json", ".md")]
    assert [path.name for path in files] == names
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == names
    assert files[0].read_text() == to_json(run)
    assert files[1].read_text() == to_markdown(run)


def test_failed_write_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(run, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_command_line_quotes_and_has_no_path(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/some/where/__main__.py", "--only", "a b"])
    assert command_line("benchmarks") == "python -m benchmarks --only 'a b'"


def test_long_text_is_wrapped_and_leaves_room_for_the_rest():
    rows = [{"seed": 17, "net": "a long story " * 20, "share": 0.25}]
    console = Console(width=60)
    with console.capture() as captured:
        console.print(rich_table(Section("wrong", "nets", "With care.", rows)))
    assert "17" in captured.get()
    assert "0.25" in captured.get()


def test_markdown_keeps_a_cell_in_its_column(run):
    rows = [{"message": "a | b\nc"}]
    text = to_markdown(
        {**run, "sections": [{**vars(Section("s", "t", "m", rows)), "columns": ["message"]}]}
    )
    assert "| a \\| b c |" in text
