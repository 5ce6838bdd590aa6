"""Scans drawn in four styles, or at four levels of contrast.

What a picture shows does not depend on the style that it is drawn in.
"""

from collections.abc import Callable

import numpy as np

from common.scans import Scans

CONTRAST = 0.15
# Keras's seeds end below 2**32. NumPy reads this one as (0, 1). No training draws colours from that
# either: it decides the order of an epoch, see `resumable.EpochBatches`.
HELD_OUT_SEED = 2**32
LEVELS = (0.15, 0.3, 0.45, 0.6)


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
        scans: shape `(n, height, width)`, ink from 0 to 1.
        style: a key of `STYLES`.
        rng: decides the colours and brightnesses.

    Returns:
        RGB pictures of shape `(n, height, width, 3)`, from 0 to 1, float32.
    """
    pictures = STYLES[style](scans[..., np.newaxis], rng)
    return np.broadcast_to(pictures, (*scans.shape, 3)).astype("float32")


def assign(number: int, kinds: int, rng: np.random.Generator) -> np.ndarray:
    """Gives each scan one of the kinds from 0 on, all kinds equally often."""
    return rng.permutation(np.arange(number) % kinds)


def draw_in(scans: np.ndarray, styles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws each scan in a style of its own.

    Args:
        scans: shape `(n, height, width)`, ink from 0 to 1.
        styles: position in `STYLES` of the style of each, shape `(n,)`.
        rng: decides the colours and brightnesses.

    Returns:
        RGB pictures of shape `(n, height, width, 3)`, from 0 to 1, float32.
    """
    pictures = np.empty((*scans.shape, 3), "float32")
    for index, style in enumerate(STYLES):
        pictures[styles == index] = draw(scans[styles == index], style, rng)
    return pictures


def draw_mixed(scans: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws each scan in one random style, all styles equally often.

    Args:
        scans: shape `(n, height, width)`, ink from 0 to 1.
        rng: decides the styles, colours and brightnesses.

    Returns:
        `(pictures, styles)`, as `draw_in` returns and takes them.
    """
    styles = assign(len(scans), len(STYLES), rng)
    return draw_in(scans, styles, rng), styles


def draw_at(scans: np.ndarray, levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws each scan in two greys, dark on light or light on dark, at a contrast of its own.

    Args:
        scans: shape `(n, height, width)`, ink from 0 to 1.
        levels: position in `LEVELS` of the contrast of each, shape `(n,)`.
        rng: decides the brightnesses, and which of the two greys is the pen.

    Returns:
        RGB pictures of shape `(n, height, width, 3)`, from 0 to 1, float32.
    """
    contrast = np.array(LEVELS)[levels, np.newaxis, np.newaxis]
    darkest = rng.uniform(0, 1 - contrast)
    light_pen = rng.random(contrast.shape) < 0.5
    greys = darkest + contrast * np.where(light_pen, scans, 1 - scans)
    return np.repeat(greys[..., np.newaxis], 3, axis=-1).astype("float32")


def draw_contrasts(scans: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws each scan at one of `LEVELS` of contrast, all of them equally often.

    Args:
        scans: shape `(n, height, width)`, ink from 0 to 1.
        rng: decides the contrasts, and what `draw_at` leaves to it.

    Returns:
        `(pictures, levels)`, as `draw_at` returns and takes them.
    """
    levels = assign(len(scans), len(LEVELS), rng)
    return draw_at(scans, levels, rng), levels


def draw_held_out(scans: Scans) -> dict[str, np.ndarray]:
    """Draws the held-out scans in every style, the same pictures at each call.

    Returns:
        By style, RGB pictures, as `draw` makes them.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    return {style: draw(scans.test_scans, style, rng) for style in STYLES}
