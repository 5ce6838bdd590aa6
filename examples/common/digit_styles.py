"""Handwritten digits drawn in four styles, or at four levels of contrast.

The scans are the 1,797 digits that scikit-learn ships, 8x8 pixels of 17 grey levels. Which
digit a picture shows does not depend on the style that it is drawn in.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CLASSES = 10
CONTRAST = 0.15
# Keras's seeds end below 2**32, so no training run draws the colours of the held-out digits.
HELD_OUT_SEED = 2**32
LEVELS = (0.15, 0.3, 0.45, 0.6)


class DigitSplit(NamedTuple):
    """Scans and labels, apart for training and evaluation.

    Attributes:
        train_scans: shape `(1347, 8, 8)`, ink from 0 (paper) to 1, float32.
        test_scans: shape `(450, 8, 8)`, none of which is among `train_scans`.
        train_labels: shape `(1347,)`, the digits 0 to 9.
        test_labels: shape `(450,)`.
    """

    train_scans: np.ndarray
    test_scans: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


def load_split() -> DigitSplit:
    """Holds out a quarter of the digits, the same ones at every call, in equal shares by class."""
    digits = load_digits()
    scans = (digits.images / digits.images.max()).astype("float32")
    return DigitSplit(
        *train_test_split(scans, digits.target, stratify=digits.target, random_state=0)
    )


def clean(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws white on black."""
    return ink


def inverted(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws black on white."""
    return 1 - ink


def random_colours(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a random colour on another, at least 0.3 apart in red, green and blue."""
    paper = rng.random((len(ink), 1, 1, 3))
    pen = (paper + rng.uniform(0.3, 0.7, paper.shape)) % 1
    return paper + (pen - paper) * ink


def low_contrast(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a grey on a slightly darker one, `CONTRAST` apart, at a random brightness."""
    return rng.uniform(0, 1 - CONTRAST, (len(ink), 1, 1, 1)) + CONTRAST * ink


STYLES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "clean": clean,
    "inverted": inverted,
    "random colours": random_colours,
    "low contrast": low_contrast,
}


def draw(scans: np.ndarray, style: str, rng: np.random.Generator) -> np.ndarray:
    """Draws every scan in one style.

    Args:
        scans: shape `(n, 8, 8)`, ink from 0 to 1.
        style: a key of `STYLES`.
        rng: decides the colours and brightnesses.

    Returns:
        RGB pictures of shape `(n, 8, 8, 3)`, from 0 to 1, float32.
    """
    pictures = STYLES[style](scans[..., np.newaxis], rng)
    return np.broadcast_to(pictures, (*scans.shape, 3)).astype("float32")


def draw_mixed(scans: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws each scan in one random style, all styles equally often.

    Args:
        scans: shape `(n, 8, 8)`, ink from 0 to 1.
        rng: decides the styles, colours and brightnesses.

    Returns:
        `(pictures, styles)`: RGB pictures of shape `(n, 8, 8, 3)`, from 0 to 1, float32, and
        the position in `STYLES` of the style of each, shape `(n,)`.
    """
    styles = rng.permutation(np.arange(len(scans)) % len(STYLES))
    pictures = np.empty((*scans.shape, 3), "float32")
    for index, style in enumerate(STYLES):
        pictures[styles == index] = draw(scans[styles == index], style, rng)
    return pictures, styles


def draw_contrasts(scans: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws each scan in two greys, dark on light or light on dark, one of `LEVELS` apart.

    Args:
        scans: shape `(n, 8, 8)`, ink from 0 to 1.
        rng: decides the contrasts, all levels equally often, the brightnesses, and which of the
            two greys is the pen.

    Returns:
        `(pictures, levels)`: RGB pictures of shape `(n, 8, 8, 3)`, from 0 to 1, float32, and
        the position in `LEVELS` of the contrast of each, shape `(n,)`.
    """
    levels = rng.permutation(np.arange(len(scans)) % len(LEVELS))
    contrast = np.array(LEVELS)[levels, np.newaxis, np.newaxis]
    darkest = rng.uniform(0, 1 - contrast)
    light_pen = rng.random(contrast.shape) < 0.5
    greys = darkest + contrast * np.where(light_pen, scans, 1 - scans)
    return np.repeat(greys[..., np.newaxis], 3, axis=-1).astype("float32"), levels


def draw_held_out(digits: DigitSplit) -> dict[str, np.ndarray]:
    """Draws the held-out digits in every style, the same pictures at each call.

    Returns:
        By style, RGB pictures of shape `(450, 8, 8, 3)`, as `draw` makes them.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    return {style: draw(digits.test_scans, style, rng) for style in STYLES}
