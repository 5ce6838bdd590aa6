"""The charts of normalizations, and of rho by layer."""

import matplotlib.figure
import numpy as np
import pytest

from common.charts import plot_curves, plot_grouped_scores, plot_leads, plot_rho, plot_scores
from tests.pictures import check_texts


def test_bars_end_at_the_means():
    axes = matplotlib.figure.Figure(layout="constrained").subplots()
    plot_scores(axes, {"BN": [80.0, 90.0], "BIN": [95.0, 97.0]}, "accuracy (%)")
    assert [bar.get_height() for bar in axes.patches] == [85.0, 96.0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["BN\n85.0", "BIN\n96.0"]
    check_texts(axes.figure)


def test_grouped_bars_end_at_the_means():
    axes = matplotlib.figure.Figure(layout="constrained").subplots()
    plot_grouped_scores(
        axes,
        {
            "clean": {"BN": [80.0, 90.0], "BIN": [95.0, 97.0]},
            "inverted": {"BN": [70.0, 71.0], "BIN": [60.0, 62.0]},
        },
        "accuracy (%)",
    )
    assert [bar.get_height() for bar in axes.patches] == [85.0, 70.5, 96.0, 61.0]
    centres = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert centres == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["clean", "inverted"]
    check_texts(axes.figure)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    ("lowest", "start"),
    [([98.0, 99.0], 95), ([80.0, 90.0], 75), ([96.0], 95), ([60.0], 55), ([55.0], 50), ([50.0], 0)],
    ids=str,
)
def test_axis_that_does_not_start_at_0_says_so(grouped, lowest, start):
    axes = matplotlib.figure.Figure().subplots()
    scores = {"BN": lowest, "BIN": [99.0, 99.5]}
    if grouped:
        plot_grouped_scores(axes, {"clean": scores}, "accuracy (%)")
    else:
        plot_scores(axes, scores, "accuracy (%)")
    assert axes.get_ylim() == (start, 100)
    said = f"accuracy (%), axis starts at {start}" if start else "accuracy (%)"
    assert axes.get_ylabel() == said


def test_leads_are_written_where_there_are_some():
    axes = matplotlib.figure.Figure().subplots()
    plot_leads(axes, np.array([[np.nan, -3.04], [2, np.nan]]), ["one", "number two"])
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(1, 0): "-3.0", (0, 1): "+2.0"}
    assert [text.get_color() for text in axes.texts] == ["white", "black"]
    assert axes.images[0].get_clim() == (-3.04, 3.04)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "number\ntwo"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "number two"]


def test_curves_are_means_in_a_band_of_the_sample_deviation():
    axes = matplotlib.figure.Figure().subplots()
    plot_curves(axes, [10, 20], {"BIN": np.array([[1.0, 2.0], [3.0, 6.0]])})
    (line,), (band,) = axes.lines, axes.collections
    np.testing.assert_array_equal(line.get_xydata(), [[10, 2], [20, 4]])
    edges = band.get_paths()[0].vertices
    assert edges[:, 1].max() == pytest.approx(4 + 8**0.5)
    assert edges[:, 1].min() == pytest.approx(2 - 2**0.5)


def test_band_of_one_seed_has_no_width():
    axes = matplotlib.figure.Figure().subplots()
    plot_curves(axes, [10, 20], {"BIN": np.array([[1.0, 2.0]])})
    edges = axes.collections[0].get_paths()[0].vertices
    assert edges[:, 1].max() == 2


def test_rho_is_drawn_by_layer_with_the_sample_deviation():
    axes = matplotlib.figure.Figure().subplots()
    plot_rho(axes, np.array([[0.1, 0.8], [0.3, 0.8]]), "digit")
    (drawn,) = axes.containers
    np.testing.assert_allclose(drawn.lines[0].get_xydata(), [[1, 0.2], [2, 0.8]], rtol=1e-12)
    bars = drawn.lines[2][0].get_segments()
    np.testing.assert_allclose(np.diff(bars[0][:, 1]), 2 * 0.02**0.5, rtol=1e-9)
    assert drawn.get_label() == "digit"
