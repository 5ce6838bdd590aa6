"""plot_rho: what it draws."""

import sys

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_bin
from tests.gates.test_finding import bin_layer
from tests.gates.test_summaries import with_gates
from tests.pictures import check_texts


@pytest.mark.parametrize("bins", [1, 2, 5, 20])
def test_picture_is_the_histogram_in_percent(bins):
    model = with_gates()
    figure = keras_bin.plot_rho(model, bins)
    assert isinstance(figure, Figure)
    (image,) = figure.axes[0].images
    first, second = (keras.ops.convert_to_numpy(rho) for rho in keras_bin.rho_weights(model))
    edges = np.linspace(0, 1, bins + 1)
    counts = [np.histogram(rho, edges)[0] / rho.size for rho in (first, second)]
    np.testing.assert_allclose(image.get_array(), 100 * np.array(counts), rtol=0, atol=1e-9)
    np.testing.assert_allclose(image.get_array().sum(1), [100, 100], rtol=0, atol=1e-9)


def test_picture_cells_by_hand():
    (image,) = keras_bin.plot_rho(with_gates(), 2).axes[0].images
    np.testing.assert_allclose(
        image.get_array(), [[200 / 3, 100 / 3], [40, 60]], rtol=1e-12, atol=0
    )


def test_picture_names_layers_from_input_to_output():
    plot = keras_bin.plot_rho(with_gates()).axes[0]
    assert [label.get_text() for label in plot.get_yticklabels()] == ["first (3)", "second (5)"]
    (image,) = plot.images
    left, right, bottom, top = image.get_extent()
    assert (left, right) == (0, 1)
    assert bottom > top
    assert "rho" in plot.get_xlabel()


def test_picture_can_be_saved(tmp_path):
    path = tmp_path / "rho.png"
    keras_bin.plot_rho(with_gates()).savefig(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_model_without_gates_is_not_drawn():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="plain")
    with pytest.raises(ValueError, match=r"at least one built Batch.*model='plain'"):
        keras_bin.plot_rho(model)


def test_unbuilt_model_is_not_drawn():
    model = keras.Sequential([bin_layer("first")], name="unbuilt")
    with pytest.raises(ValueError, match=r"at least one built Batch.*model='unbuilt'"):
        keras_bin.plot_rho(model)


@pytest.mark.parametrize("bins", [0, -3, 2.5, "20", None])
def test_bins_must_be_a_positive_whole_number(bins):
    with pytest.raises(ValueError, match=f"at least 1; the default is 20. Received: bins={bins!r}"):
        keras_bin.plot_rho(with_gates(), bins)


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "keras_bin.gates.notebook_figure", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'keras-bin\[plot\]'"):
        keras_bin.plot_rho(with_gates())


@pytest.mark.parametrize("by", ["layer", "depth"])
def test_gates_that_are_not_drawn_are_counted_in_the_title(by):
    layers = [bin_layer(name) for name in "abc"]
    model = keras.Sequential([keras.Input((8, 3)), *layers])
    layers[0].rho.assign([1.5, np.nan, 0.0])
    layers[1].rho.assign([-0.25, 1.0, 0.5])
    figure = keras_bin.plot_rho(model, by=by)
    assert figure.get_suptitle().endswith("   (not in [0, 1], so not drawn: 3)")
    first = figure.axes[0]
    shares = first.images[0].get_array()[0] if by == "layer" else first.patches[0].get_data().values
    np.testing.assert_allclose(shares, [100 / 3] + 19 * [0], rtol=1e-9, atol=0)
    check_texts(figure)


def deep_model():
    """Seven layers of two channels, in the thirds 0, 1, 2; 3, 4 and 5, 6."""
    gates = [(0, 0.04), (0.06, 0), (1, 0.5), (0.2, 0.3), (0.4, 1), (1, 1), (0.96, 0.5)]
    layers = [bin_layer(f"bin{number}") for number in range(len(gates))]
    model = keras.Sequential([keras.Input((8, 2)), *layers])
    for layer, rho in zip(layers, gates, strict=True):
        layer.rho.assign(rho)
    return model


def test_histograms_by_depth_count_each_third_by_hand():
    figure = keras_bin.plot_rho(deep_model(), 10, by="depth")
    lower, middle, upper = figure.axes
    titles = ["lower layers (3)", "middle layers (2)", "upper layers (2)"]
    assert [plot.get_title() for plot in figure.axes] == titles
    heights = {plot: plot.patches[0].get_data().values for plot in figure.axes}
    sixth = 100 / 6
    expected = [4 * sixth, 0, 0, 0, 0, sixth, 0, 0, 0, sixth]
    np.testing.assert_allclose(heights[lower], expected, rtol=1e-12)
    # float32 has 0.2 and 0.4 a little above, 0.3 too.
    np.testing.assert_allclose(heights[middle], [0, 0, 25, 25, 25, 0, 0, 0, 0, 25], rtol=1e-12)
    np.testing.assert_allclose(heights[upper], [0, 0, 0, 0, 0, 25, 0, 0, 0, 75], rtol=1e-12)
    assert upper.get_xlim() == (0, 1)


def test_thirds_need_three_layers():
    with pytest.raises(ValueError, match=r"at least three.*by='layer'.*a model with 2"):
        keras_bin.plot_rho(with_gates(), by="depth")


def test_other_divisions_are_refused():
    with pytest.raises(ValueError, match=r"'layer' or 'depth'. Received: by='block'"):
        keras_bin.plot_rho(with_gates(), by="block")
