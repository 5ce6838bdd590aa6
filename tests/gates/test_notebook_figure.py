"""Pictures of gates in a notebook: shown once, with and without pyplot."""

import importlib.util
import pickle

import nbformat
import pytest
from matplotlib.figure import Figure
from nbclient import NotebookClient

import keras_bin
from tests.gates.test_summaries import with_gates

MODEL = """
import keras
import keras_bin

layer = keras_bin.BatchInstanceNormalization()
model = keras.Sequential([keras.Input((4, 4, 2)), layer])
"""
HISTORY = """
model.compile("sgd", "mse")
history = keras_bin.RhoHistory()
images = keras.ops.ones((2, 4, 4, 2))
model.fit(images, images, verbose=0, callbacks=[history])
history.plot()
"""
CELLS = {
    "plain": "keras_bin.plot_rho(model)",
    "display": "display(keras_bin.plot_rho(model))",
    "not last": "figure = keras_bin.plot_rho(model)\nNone",
    "history": HISTORY,
    "pyplot imported": "import matplotlib.pyplot as plt\nkeras_bin.plot_rho(model)",
    "inline": "%matplotlib inline\nkeras_bin.plot_rho(model)",
    "pyplot used": "plt.plot([1, 2])\nplt.close()\nkeras_bin.plot_rho(model)",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The outputs of each cell, run one after another as a user would."""
    cells = [nbformat.v4.new_code_cell(source) for source in (MODEL, *CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        if importlib.util.find_spec("jax"):  # which starts sooner than TensorFlow
            patch.setenv("KERAS_BACKEND", "jax")
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    shown = [
        [output for output in cell.outputs if output.output_type != "stream"] for cell in cells[1:]
    ]
    return dict(zip(CELLS, shown, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("cell", [name for name in CELLS if name != "not last"])
def test_picture_is_shown_once(outputs, cell):
    (output,) = outputs[cell]
    assert output.data["image/png"].startswith("iVBORw0KGgo")


@pytest.mark.slow
def test_picture_that_is_not_asked_for_is_not_shown(outputs):
    assert outputs["not last"] == []


def test_figure_is_matplotlibs_and_can_be_pickled():
    figure = keras_bin.plot_rho(with_gates())
    copy = pickle.loads(pickle.dumps(figure))
    assert isinstance(copy, Figure)
    assert copy.get_suptitle() == figure.get_suptitle()
    assert figure._repr_png_().startswith(b"\x89PNG")
