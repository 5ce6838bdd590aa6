"""The bars of normalizations."""

import matplotlib.figure
import pytest

from common.charts import plot_grouped_scores, plot_scores


def test_bars_end_at_the_means():
    axes = matplotlib.figure.Figure().subplots()
    plot_scores(axes, {"BN": [80.0, 90.0], "BIN": [95.0, 97.0]})
    assert [bar.get_height() for bar in axes.patches] == [85.0, 96.0]
    assert axes.get_ylim() == (80.0, 100.0)


def test_grouped_bars_end_at_the_means():
    axes = matplotlib.figure.Figure().subplots()
    plot_grouped_scores(
        axes,
        {
            "clean": {"BN": [80.0, 90.0], "BIN": [95.0, 97.0]},
            "inverted": {"BN": [70.0, 71.0], "BIN": [60.0, 62.0]},
        },
    )
    assert [bar.get_height() for bar in axes.patches] == [85.0, 70.5, 96.0, 61.0]
    centres = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert centres == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["clean", "inverted"]
    assert axes.get_ylim() == (56.0, 100.0)
