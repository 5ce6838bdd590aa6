"""The quickstart as a notebook: it runs, and what is committed shows the results of a whole run."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.examples.programs import EXAMPLES

NOTEBOOK = EXAMPLES / "quickstart.ipynb"
PICTURES = ["keras_bin.plot_rho(bin_net)", "rho_history.plot()", "session = "]
TABLES = ["keras_bin.rho_summary(bin_net)", "report = ", "samples = "]


def read_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell):
    """What a cell has printed or shown, as text."""
    for output in cell.outputs:
        yield output.get("text") or output.data["text/plain"]


@pytest.fixture(scope="module")
def committed():
    return read_cells(nbformat.read(NOTEBOOK, as_version=4))


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells after a run with two epochs, and the folder that they ran in."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in read_cells(notebook):
        cell.outputs = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYTHONPATH", str(EXAMPLES))
        patch.setenv("QUICKSTART_EPOCHS", "2")
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    return read_cells(notebook), folder


def check_outputs(cells):
    """Checks that each cell which ends with a picture or a table shows one."""
    shown = {cell.source: [output.get("data", {}) for output in cell.outputs] for cell in cells}
    for kind, beginnings in (("image/png", PICTURES), ("text/html", TABLES)):
        for beginning in beginnings:
            (outputs,) = (value for key, value in shown.items() if key.startswith(beginning))
            assert [kind in output for output in outputs] == [True], beginning


@pytest.mark.slow
def test_notebook_runs_and_shows_pictures_and_tables(executed):
    cells, folder = executed
    check_outputs(cells)
    assert (folder / "output" / "notebook" / "digits.onnx").is_file()
    assert (folder / "output" / "notebook" / "digits" / "1" / "saved_model.pb").is_file()


def test_committed_outputs_are_those_of_one_run_in_order(committed):
    assert [cell.execution_count for cell in committed] == list(range(1, len(committed) + 1))
    check_outputs(committed)


def test_committed_outputs_hold_neither_noise_nor_paths(committed):
    streams = {o.name for cell in committed for o in cell.outputs if o.output_type == "stream"}
    assert streams == {"stdout"}
    for text in (text for cell in committed for text in texts(cell)):
        assert not re.search(r"(?<![\w.])/[\w.]+/|\w@\w|Warning|Error|INFO", text), text


def test_committed_accuracies_are_of_a_whole_training(committed):
    (table,) = ("".join(texts(cell)) for cell in committed if cell.source.startswith("print("))
    accuracies = [float(number) for number in re.findall(r"\d+\.\d", table)]
    assert len(accuracies) == 8
    assert all(90 < accuracy <= 100 for accuracy in accuracies)
