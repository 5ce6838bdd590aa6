"""The styled digits: the split and the four styles."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from common.digits import load_digit_scans
from common.scans import CLASSES
from common.styles import CONTRAST, LEVELS, STYLES, draw, draw_contrasts, draw_held_out, draw_mixed

RANDOM_STYLES = ("random colours", "low contrast")


@pytest.fixture(scope="module")
def digits():
    return load_digit_scans()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def two_level_scans():
    """Ink 0 in the left half and 1 in the right one: paper and pen, undiluted."""
    return np.tile(np.repeat([0.0, 1.0], 4), (200, 8, 1))


def rows(scans):
    return {scan.tobytes() for scan in scans}


def test_no_held_out_digit_is_among_the_training_digits(digits):
    assert not rows(digits.train_scans) & rows(digits.test_scans)


def test_split_holds_every_scan_once(digits):
    scans = np.concatenate([digits.train_scans, digits.test_scans])
    assert rows(scans) == rows((load_digits().images / 16).astype("float32"))
    assert len(scans) == 1797


def test_scans_keep_their_labels(digits):
    labels = dict(zip(map(bytes, load_digits().images), load_digits().target, strict=True))
    for scans, split_labels in (
        (digits.train_scans, digits.train_labels),
        (digits.test_scans, digits.test_labels),
    ):
        found = [labels[bytes(scan.astype("float64") * 16)] for scan in scans]
        np.testing.assert_array_equal(found, split_labels)


def test_classes_have_equal_shares_in_both_parts(digits):
    train, test = (np.bincount(labels, minlength=CLASSES) for labels in digits[2:])
    np.testing.assert_allclose(test / (train + test), 0.25, rtol=0, atol=0.01)


def test_split_is_the_same_at_every_call(digits):
    for first, second in zip(digits, load_digit_scans(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("style", STYLES)
def test_pictures_are_rgb_floats_between_0_and_1(digits, rng, style):
    pictures = draw(digits.test_scans, style, rng)
    assert pictures.shape == (450, 8, 8, 3)
    assert pictures.dtype == "float32"
    assert pictures.min() >= 0
    assert pictures.max() <= 1


@pytest.mark.parametrize("style", STYLES)
def test_same_seed_draws_the_same_pictures(digits, style):
    first, second = (draw(digits.test_scans, style, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("style", RANDOM_STYLES)
def test_other_seeds_draw_other_pictures(digits, style):
    first, second = (draw(digits.test_scans, style, np.random.default_rng(i)) for i in range(2))
    assert np.all(np.any(first != second, axis=(1, 2, 3)))


def test_clean_pictures_show_the_ink(digits, rng):
    pictures = draw(digits.test_scans, "clean", rng)
    np.testing.assert_array_equal(pictures, np.stack([digits.test_scans] * 3, axis=-1))


def test_inverted_pictures_are_the_negative_of_clean_ones(digits, rng):
    clean, inverted = (draw(digits.test_scans, style, rng) for style in ("clean", "inverted"))
    np.testing.assert_allclose(inverted, 1 - clean, rtol=0, atol=1e-6)


def test_colours_of_paper_and_pen_differ_in_every_channel(two_level_scans, rng):
    pictures = draw(two_level_scans, "random colours", rng)
    assert np.abs(pictures[:, 0, -1] - pictures[:, 0, 0]).min() >= 0.299


def test_random_colours_differ_between_channels_and_pictures(two_level_scans, rng):
    paper = draw(two_level_scans, "random colours", rng)[:, 0, 0]
    assert len(np.unique(paper)) == paper.size


def test_low_contrast_is_low_at_any_brightness(two_level_scans, rng):
    pictures = draw(two_level_scans, "low contrast", rng)
    paper, pen = pictures[:, 0, 0], pictures[:, 0, -1]
    np.testing.assert_allclose(pen - paper, CONTRAST, rtol=0, atol=1e-6)
    assert np.ptp(paper) > 0.7
    assert np.ptp(paper, axis=-1).max() == 0


def test_mixed_pictures_are_in_the_styles_they_are_said_to_be(digits, rng):
    pictures, styles = draw_mixed(digits.train_scans, rng)
    names = np.array(list(STYLES))[styles]
    ink = np.stack([digits.train_scans] * 3, axis=-1)
    np.testing.assert_array_equal(pictures[names == "clean"], ink[names == "clean"])
    np.testing.assert_allclose(
        pictures[names == "inverted"], 1 - ink[names == "inverted"], rtol=0, atol=1e-6
    )
    spans = np.ptp(pictures, axis=(1, 2))
    assert spans[names == "low contrast"].max() <= CONTRAST + 1e-6
    assert spans[names != "low contrast"].min() > CONTRAST
    greys = np.ptp(pictures, axis=-1).max(axis=(1, 2)) == 0
    np.testing.assert_array_equal(greys, names != "random colours")


def test_styles_are_equally_frequent_and_shuffled(digits, rng):
    _, styles = draw_mixed(digits.train_scans, rng)
    assert np.ptp(np.bincount(styles, minlength=len(STYLES))) <= 1
    _, others = draw_mixed(digits.train_scans, np.random.default_rng(1))
    assert 0.15 < np.mean(styles == others) < 0.35


def test_contrasts_are_those_they_are_said_to_be(two_level_scans, rng):
    pictures, levels = draw_contrasts(two_level_scans, rng)
    assert pictures.shape == (200, 8, 8, 3)
    assert pictures.dtype == "float32"
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert np.ptp(pictures, axis=-1).max() == 0
    np.testing.assert_allclose(
        np.ptp(pictures, axis=(1, 2, 3)), np.array(LEVELS)[levels], rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(np.bincount(levels), 50)


def test_pen_is_lighter_than_paper_in_half_of_the_pictures(two_level_scans, rng):
    pictures, levels = draw_contrasts(two_level_scans, rng)
    lighter = pictures[:, 0, -1, 0] > pictures[:, 0, 0, 0]
    for level in range(len(LEVELS)):
        assert 0.25 < lighter[levels == level].mean() < 0.75


def test_brightness_does_not_give_the_contrast_away(two_level_scans, rng):
    pictures, levels = draw_contrasts(two_level_scans, rng)
    for level, contrast in enumerate(LEVELS):
        means = pictures[levels == level].mean((1, 2, 3))
        assert means.mean() == pytest.approx(0.5, rel=0, abs=0.1)
        assert np.ptp(means) > 0.8 * (1 - contrast)


def test_held_out_digits_are_drawn_in_every_style_the_same_each_time(digits):
    first, second = draw_held_out(digits), draw_held_out(digits)
    assert list(first) == list(STYLES)
    for style, pictures in first.items():
        assert pictures.shape == (450, 8, 8, 3)
        np.testing.assert_array_equal(pictures, second[style])
