"""rho_summary and plot_rho: what they say and draw."""

import sys

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_bin
from tests.test_gates import bin_layer, functional


def with_gates():
    model = functional()
    model.get_layer("first").rho.assign([0.0, 0.4, 1.0])
    model.get_layer("second").rho.assign([0.09, 0.11, 0.5, 0.51, 0.99])
    return model


def test_summary_counts_gates_by_hand():
    model = with_gates()
    first, second = keras_bin.rho_summary(model)
    # The gates are float32.
    assert first == ("first", 3, pytest.approx(1.4 / 3, rel=1e-6), 0.0, 1.0, 1, 1, 1, 1)
    assert second[:2] == ("second", 5)
    assert second[2:5] == pytest.approx((2.2 / 5, 0.09, 0.99), rel=1e-6)
    assert second[5:] == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (0.0, (4, 0, 4, 0)),
        (1e-7, (0, 0, 4, 0)),
        (0.1, (0, 0, 0, 0)),
        (0.9, (0, 0, 0, 0)),
        (1 - 1e-7, (0, 0, 0, 4)),
        (1.0, (0, 4, 0, 4)),
    ],
    ids=str,
)
def test_ends_are_exact_and_what_is_near_them_is_not(value, counts):
    layer = bin_layer("bin", value)
    layer.build((None, 8, 4))
    (summary,) = keras_bin.rho_summary(layer)
    assert (summary.at_zero, summary.at_one, summary.near_zero, summary.near_one) == counts


def test_summary_is_plain_numbers():
    (summary, _) = keras_bin.rho_summary(with_gates())
    kinds = [type(value) for value in summary]
    assert kinds == [str, int, float, float, float, int, int, int, int]


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


@pytest.mark.parametrize("bins", [0, -3])
def test_bins_must_be_positive(bins):
    with pytest.raises(ValueError, match=f"at least 1; the default is 20. Received: bins={bins}"):
        keras_bin.plot_rho(with_gates(), bins)


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-bin\[plot\]'"):
        keras_bin.plot_rho(with_gates())
