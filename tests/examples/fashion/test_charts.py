"""Pictures of experiments on garments: what they show, and that no texts overlap."""

import numpy as np

from common.norms import ALL_NORMS
from common.styles import STYLES
from fashion.charts import SHOWN, plot_disagreements, plot_gates, plot_learning
from tests.examples.fashion.records import made_run, readings
from tests.pictures import check_texts


def runs():
    return [
        made_run(norm, seed, dict.fromkeys(STYLES, 80.0 + seed + 4 * (norm == "BIN")), layers=21)
        for seed in (0, 1)
        for norm in ALL_NORMS
    ]


def test_learning_is_drawn_by_epoch_with_a_line_for_each_norm():
    figure = plot_learning(runs())
    check_texts(figure)
    loss, accuracy = figure.axes
    assert [line.get_label() for line in accuracy.lines] == list(ALL_NORMS)
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [[1, 2], [2, 1]])
    assert all(tick == int(tick) for tick in loss.get_xticks())
    lines = {line.get_label(): line.get_ydata() for line in accuracy.lines}
    np.testing.assert_array_equal(lines["BN"], [80.5, 80.5])
    np.testing.assert_array_equal(lines["BIN"], [84.5, 84.5])


def test_gates_are_drawn_from_the_start_and_counted_in_the_end():
    chosen = [run for run in runs() if run["norm"] == "BIN"]
    figure = plot_gates({"BIN": chosen})
    check_texts(figure)
    paths, shares = figure.axes
    assert len(paths.lines) == 21
    np.testing.assert_allclose(paths.lines[0].get_ydata(), [1, 0.9, 0.8])
    half = plot_gates({"BIN": chosen}, start=0.5).axes[0]
    np.testing.assert_allclose(half.lines[0].get_ydata(), [0.5, 0.9, 0.8])
    at_zero, between, at_one = shares.containers
    np.testing.assert_allclose([bar.get_height() for bar in at_zero], 100 / 16)
    np.testing.assert_allclose([bar.get_height() for bar in between], 700 / 16)
    np.testing.assert_allclose([bar.get_y() for bar in at_one], 50)


def test_every_task_has_a_row():
    chosen = [run for run in runs() if run["norm"] == "BIN"]
    figure = plot_gates({"garment": chosen, "contrast": chosen})
    check_texts(figure)
    assert figure.axes[2].get_title() == "contrast: rho in training"


def test_disagreements_show_what_one_net_alone_reads():
    """BN is wrong in 1 to 9, BIN in 9 and 10: eight against one."""
    labels = np.arange(40) % 10
    pictures = np.random.default_rng(0).random((40, 28, 28, 3))
    tests = dict.fromkeys(STYLES, (pictures, labels))
    read = {
        norm: dict.fromkeys(STYLES, readings(labels, wrong))
        for norm, wrong in (("BN", np.arange(1, 10)), ("BIN", [9, 10]))
    }
    figure = plot_disagreements(tests, read)
    check_texts(figure)
    left, right = figure.subfigs
    assert left.get_suptitle() == "BIN right, BN wrong: what it is, and what BN reads"
    shown = [axes for axes in left.axes if axes.images]
    assert len(shown) == 4 * SHOWN
    np.testing.assert_array_equal(shown[0].images[0].get_array(), pictures[1])
    assert shown[0].get_title() == "trousers\npullover?"
    assert left.axes[0].get_ylabel() == "clean\n8 of 40"
    assert [len(axes.images) for axes in right.axes[:SHOWN]] == [1, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(right.axes[0].images[0].get_array(), pictures[10])
