"""The tutorial: it runs, and what is committed shows the results of a whole run."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs import pages

NOTEBOOK = pages.DOCS / "tutorial.ipynb"


def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    """What a cell has printed or shown, as text."""
    texts = (each.get("text") or each.data.get("text/plain", "") for each in cell.outputs)
    return "".join(texts)


@pytest.fixture(scope="module")
def committed():
    return cells(nbformat.read(NOTEBOOK, as_version=4))


@pytest.mark.slow
def test_tutorial_runs_to_a_served_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TUTORIAL_EPOCHS", "1")
    monkeypatch.setenv("TUTORIAL_DIGITS", "171")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in cells(notebook):
        cell.outputs = []
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    assert "read:" in printed(cells(notebook)[-1])
    assert (tmp_path / "bin.onnx").is_file()
    assert (tmp_path / "models" / "digits" / "1" / "saved_model.pb").is_file()


def test_committed_outputs_are_those_of_one_run_in_order(committed):
    assert [cell.execution_count for cell in committed] == list(range(1, len(committed) + 1))
    streams = {each.name for cell in committed for each in cell.outputs if "name" in each}
    assert streams == {"stdout"}


def test_committed_outputs_hold_no_paths_and_no_warnings(committed):
    for cell in committed:
        assert not re.search(r"(?<![\w.])/[\w.]+/|\w@\w|Warning|INFO", printed(cell))


def test_text_tells_what_the_committed_run_has_shown(committed):
    """The sentences below the two tables repeat figures of them."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    accuracies, costs = (
        printed(cell)
        for cell in committed
        if "BIN_first=" in cell.source or "medians" in cell.source
    )
    (row,) = (line for line in accuracies.splitlines() if line.startswith("faint greys"))
    shown = [f"{float(percent):.0f} %" for percent in re.findall(r"\d+\.\d", row)]
    shown += [f"{times} times" for times in re.findall(r"([\d.]+) times BN", costs)[1:]]
    assert len(shown) == 5
    assert [each for each in shown if each not in text] == []
