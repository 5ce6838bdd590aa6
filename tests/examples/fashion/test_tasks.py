"""What nets learn from garments: drawn anew each time, but always in the same style."""

import numpy as np
import pytest

from common.scans import Scans
from common.styles import LEVELS, STYLES
from fashion.tasks import contrast_task, mixed_styles, plain_pictures

NUMBER = 40


@pytest.fixture(scope="module")
def scans():
    """Paper in the left half, ink in the right one, but for a pixel that tells the scan."""
    train = np.zeros((NUMBER, 28, 28), "float32")
    train[:, :, 14:] = 1
    train[:, 10, 5] = (1 + np.arange(NUMBER)) / (NUMBER + 1)
    return Scans(train, train[:8], np.arange(NUMBER) % 10, np.arange(8))


def batch(task, chosen, seed=0):
    return task.draw(np.array(chosen), np.random.default_rng(seed))


def style_of(pictures):
    """The position in `STYLES` of each picture, seen from its paper and its ink."""
    paper, ink = pictures[:, 0, 0], pictures[:, 0, 27]
    apart = np.abs(ink - paper)
    grey = np.ptp(paper, axis=-1) == 0
    white_on_black = (paper.max(-1) == 0) & (ink.min(-1) == 1)
    black_on_white = (paper.min(-1) == 1) & (ink.max(-1) == 0)
    low = grey & (apart.max(-1) < 0.16)
    return np.select([white_on_black, black_on_white, ~grey, low], range(4), -1)


def test_each_picture_keeps_its_style_and_changes_its_colours(scans):
    task = mixed_styles(scans, 0)
    everything = np.arange(NUMBER)
    first, labels = batch(task, everything)
    second, _ = batch(task, everything, seed=1)
    np.testing.assert_array_equal(labels, scans.train_labels)
    np.testing.assert_array_equal(np.bincount(style_of(first)), NUMBER // 4)
    np.testing.assert_array_equal(style_of(first), style_of(second))
    coloured = style_of(first) >= 2
    assert np.all(np.any(first != second, (1, 2, 3)) == coloured)
    other, _ = batch(mixed_styles(scans, 1), everything)
    assert np.any(style_of(first) != style_of(other))


def test_batches_hold_the_chosen_pictures_in_their_order(scans):
    task = mixed_styles(scans, 0)
    pictures, labels = batch(task, [17, 3, 3])
    np.testing.assert_array_equal(labels, [7, 3, 3])
    np.testing.assert_array_equal(number_of(pictures), [17, 3, 3])
    np.testing.assert_array_equal(
        style_of(batch(task, [7, 3])[0]), style_of(batch(task, np.arange(8))[0])[[7, 3]]
    )


def test_mixed_styles_are_tested_in_every_style(scans):
    tests = mixed_styles(scans, 0).tests
    assert list(tests) == list(STYLES)
    for position, (pictures, labels) in enumerate(tests.values()):
        np.testing.assert_array_equal(style_of(pictures), position)
        np.testing.assert_array_equal(labels, np.arange(8))


def number_of(pictures):
    """Which scan each picture shows, seen from its tell-tale pixel."""
    paper, ink, told = (pictures[:, row, column, 0] for row, column in ((0, 0), (0, 27), (10, 5)))
    return np.round((told - paper) / (ink - paper) * (NUMBER + 1) - 1)


def contrasts(pictures):
    return np.abs(pictures[:, 0, 27, 0] - pictures[:, 0, 0, 0])


def test_contrast_is_kept_and_brightness_is_not(scans):
    task = contrast_task("contrast", scans, 0)
    everything = np.arange(NUMBER)
    first, levels = batch(task, everything)
    second, again = batch(task, everything, seed=1)
    np.testing.assert_array_equal(levels, again)
    np.testing.assert_array_equal(np.bincount(levels), NUMBER // 4)
    for pictures in (first, second):
        np.testing.assert_allclose(contrasts(pictures), np.array(LEVELS)[levels], atol=1e-6)
    assert np.all(np.any(first != second, (1, 2, 3)))
    light_pen = first[:, 0, 27, 0] > first[:, 0, 0, 0]
    assert 0.2 < light_pen.mean() < 0.8


def test_both_tasks_see_the_same_pictures(scans):
    garment, contrast = (contrast_task(what, scans, 0) for what in ("garment", "contrast"))
    pictures, labels = batch(garment, np.arange(NUMBER))
    np.testing.assert_array_equal(pictures, batch(contrast, np.arange(NUMBER))[0])
    np.testing.assert_array_equal(labels, scans.train_labels)
    np.testing.assert_array_equal(number_of(pictures), np.arange(NUMBER))
    ((test, test_labels),) = garment.tests.values()
    ((other, levels),) = contrast.tests.values()
    np.testing.assert_array_equal(test, other)
    np.testing.assert_array_equal(test_labels, np.arange(8))
    np.testing.assert_allclose(contrasts(test), np.array(LEVELS)[levels], atol=1e-6)
    assert (garment.classes, contrast.classes) == (10, 4)


def test_plain_pictures_are_moved_and_mirrored_and_tested_as_they_are(scans):
    task = plain_pictures(scans, 0)
    pictures, labels = batch(task, np.full(200, 13))
    np.testing.assert_array_equal(labels, 3)
    tell_tale = np.float32(14) / np.float32(NUMBER + 1)
    assert set(np.unique(pictures)) == {0, 1, tell_tale}
    columns = pictures[:, 20, :, 0].sum(-1)  # of 14, fewer where some are moved out
    assert set(columns) == {10, 11, 12, 13, 14}
    assert np.all((pictures == tell_tale).sum((1, 2, 3)) == 3)
    mirrored = pictures[:, 14, 8, 0] == 1
    assert 0.35 < mirrored.mean() < 0.65
    empty_rows = (pictures.sum((2, 3)) == 0).sum(1)
    assert set(empty_rows) == set(range(5))
    ((test, test_labels),) = task.tests.values()
    np.testing.assert_array_equal(test[..., 0], scans.test_scans)
    np.testing.assert_array_equal(test_labels, np.arange(8))
