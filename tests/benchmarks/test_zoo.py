"""Third-party networks become rows of a table, whatever happens to them."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.report import to_json
from benchmarks.zoo import __main__ as program
from benchmarks.zoo import networks, packages
from benchmarks.zoo.net import Net
from benchmarks.zoo.nets import NETS
from benchmarks.zoo.outcome import LONGEST, Outcome, counts, headline, outcome, read_row, row

BUILT = {"build": {"seconds": 1.0, "parameters": 7}}
APART = {"largest": 2e-6, "relative": 1e-6, "size": 3.0}
RIGHT = {"seconds": 2.0, "difference": APART, "allowed": 1e-3}
REFUSED = {"seconds": 0.4, "error": "ValueError: It must be so.\nReceived: that"}


def test_there_are_47_networks_and_each_package_has_its_line():
    assert len(NETS) == 47
    modules = {net.module for net in NETS.values()} - {"keras"}
    assert all("==" in packages.requirement(module) for module in modules)


@pytest.mark.parametrize(
    ("relative", "allowed", "status"),
    [
        (2e-6, 1e-3, "ok"),
        (1.1e-3, 1e-3, "wrong"),
        (1.1e-3, 1.2e-3, "ok"),
        (None, 1e-3, "wrong"),
    ],
    ids=["equal", "outside", "within rounding", "not finite"],
)
def test_status_tells_right_from_wrong(relative, allowed, status):
    apart = {"largest": relative, "relative": relative, "size": 3.0}
    found = {"seconds": 1.0, "difference": apart, "allowed": allowed}
    assert outcome(found).status == status


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Outcome("ok", 2.4, 2e-6, 3.0), "ok, 2.0e-06 of 3, 2 s"),
        (Outcome("wrong", 2.4, None, 3.0), "wrong, not finite of 3, 2 s"),
        (outcome(REFUSED), "refused, ValueError: It must be so., 0 s"),
        (Outcome("not tried"), "not tried"),
    ],
    ids=["right", "not finite", "refused with its first line", "not tried"],
)
def test_outcome_as_text(value, text):
    assert str(value) == text


def test_row_holds_every_format_and_what_is_in_the_onnx_file():
    onnx = {**RIGHT, "convolutions": 5, "inner_transposes": 2}
    found = row("a", {**BUILT, "fold": RIGHT, "ONNX": onnx, "SavedModel": REFUSED})
    assert (found["net"], found["parameters"]) == ("a", 7)
    assert [found[step].status for step in ("fold", "ONNX", "SavedModel")] == [
        "ok",
        "ok",
        "refused",
    ]
    assert (found["Conv"], found["inner Transpose"]) == (5, 2)


def test_row_of_a_process_that_ended_says_where():
    found = row("a", {**BUILT, "fold": RIGHT}, "the limit of 9 s was reached")
    assert found["ONNX"] == Outcome("no result", message="the limit of 9 s was reached")
    assert found["SavedModel"] == Outcome("not tried")


def test_network_that_does_not_build_is_no_result():
    found = row("a", {"build": REFUSED})
    assert found["note"].startswith("does not build: ValueError: It must be so.")
    assert row("a", {}, "ended")["note"] == "does not build: no result: ended"


def test_rows_are_the_same_after_json():
    rows = [row("a", {**BUILT, "fold": RIGHT, "ONNX": REFUSED}, "x"), row("b", {"build": REFUSED})]
    assert [read_row(each) for each in json.loads(to_json(rows))] == rows


def test_counts_are_of_all_networks():
    rows = [
        row("a", {**BUILT, "fold": RIGHT, "ONNX": RIGHT, "SavedModel": RIGHT}),
        row("b", {**BUILT, "fold": RIGHT, "ONNX": REFUSED, "SavedModel": REFUSED}),
        {"net": "c", "note": "package missing"},
    ]
    assert counts(rows) == "fold 2/3, ONNX 1/3, SavedModel 1/3"


def test_missing_package_is_told_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(program.NETS, "x", Net(lambda: None, "kimm"))
    monkeypatch.setattr(networks, "installed", lambda module: False)
    note = program.export_net("x", 1.0)["note"]
    assert note.startswith("package missing: kimm==")
    assert "pip install --no-deps" in note


def fake_run(writes, end):
    """Stands in for `subprocess.run`: a child that writes `writes`, and ends with `end`."""

    def run(command, **options):
        Path(command[-1]).write_text(json.dumps(writes))
        if end == "late":
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return subprocess.CompletedProcess(command, end, "", "one\nlast line\n")

    return run


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("late", "the limit of 5 s was reached"),
        (-11, "the process ended with -11: last line"),
    ],
    ids=["too slow", "killed"],
)
def test_process_that_ends_too_early_keeps_what_it_wrote(monkeypatch, end, message):
    monkeypatch.setattr(subprocess, "run", fake_run({**BUILT, "fold": RIGHT}, end))
    found = program.export_net("apps/VGG16", 5.0)
    assert found["fold"].status == "ok"
    assert found["ONNX"] == Outcome("no result", message=message)


def test_only_adds_to_the_rows_of_the_same_day(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(networks, "RESULTS", tmp_path)
    monkeypatch.setattr(subprocess, "run", fake_run({**BUILT, "fold": RIGHT}, 0))
    for name in ("apps/VGG16", "apps/MobileNet"):
        program.main(["--only", name])
    (path,) = tmp_path.glob("*-zoo.json")
    (section,) = json.loads(path.read_text())["sections"]
    assert [each["net"] for each in section["rows"]] == ["apps/MobileNet", "apps/VGG16"]
    assert "fold 2/2, ONNX 0/2, SavedModel 0/2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Rule.\nMore", "Rule."),
        ("Rule. They are:\n  this\n  that", "Rule. They are: this"),
        ("They are:", "They are:"),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 1) + "…"),
    ],
    ids=["first line", "first line that ends in a colon", "nothing after it", "long"],
)
def test_headline(message, text):
    assert headline(message) == text
