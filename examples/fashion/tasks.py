"""What nets learn from Fashion-MNIST: garments in mixed styles, at any contrast, or as they are."""

import numpy as np

from common.scans import CLASSES, Scans
from common.styles import (
    HELD_OUT_SEED,
    LEVELS,
    STYLES,
    assign,
    draw,
    draw_at,
    draw_contrasts,
    draw_held_out,
    draw_in,
)
from fashion.training import Labelled, Task

MOVED = 4  # pixels, as by BIN's authors
PLAIN = "plain"


def mixed_styles(scans: Scans, seed: int) -> Task:
    """Makes the task of reading garments in four styles, each picture in a style of its own.

    The seed decides the style of each training picture; colours are drawn anew in each epoch. (Its
    generator is also that of the first epoch's order: one permutation after the other, which
    reveals nothing about either.)
    """
    styles = assign(len(scans.train_scans), len(STYLES), np.random.default_rng(seed))

    def draw_batch(chosen, rng):
        return draw_in(scans.train_scans[chosen], styles[chosen], rng), scans.train_labels[chosen]

    tests = {
        style: Labelled(pictures, scans.test_labels)
        for style, pictures in draw_held_out(scans).items()
    }
    return Task(len(styles), draw_batch, tests, CLASSES)


def contrast_task(what: str, scans: Scans, seed: int) -> Task:
    """Makes a task of pictures in two greys; the seed decides how far they are apart.

    Brightness, and which of the greys is the pen, are drawn anew in each epoch.

    Args:
        what: "garment" to read what a picture shows, "contrast" to read its contrast.
        scans: to learn from, and to test on.
        seed: decides the contrast of each training picture.
    """
    levels = assign(len(scans.train_scans), len(LEVELS), np.random.default_rng(seed))
    pictures, test_levels = draw_contrasts(scans.test_scans, np.random.default_rng(HELD_OUT_SEED))
    labels, test_labels, classes = {
        "garment": (scans.train_labels, scans.test_labels, CLASSES),
        "contrast": (levels, test_levels, len(LEVELS)),
    }[what]

    def draw_batch(chosen, rng):
        return draw_at(scans.train_scans[chosen], levels[chosen], rng), labels[chosen]

    return Task(len(levels), draw_batch, {what: Labelled(pictures, test_labels)}, classes)


def plain_pictures(scans: Scans, seed: int) -> Task:
    """Makes the task of reading unchanged garments, white on black.

    As in the recipe of BIN's authors, a training picture is moved by up to four pixels in each
    direction, and mirrored half of the time, anew in each epoch. The seed decides nothing
    here.
    """
    side = scans.train_scans.shape[1]
    padded = np.pad(scans.train_scans, ((0, 0), (MOVED, MOVED), (MOVED, MOVED)))

    def draw_batch(chosen, rng):
        moved = np.empty((len(chosen), side, side), "float32")
        for place, (scan, top, left) in enumerate(
            zip(padded[chosen], *rng.integers(0, 2 * MOVED + 1, (2, len(chosen))), strict=True)
        ):
            moved[place] = scan[top : top + side, left : left + side]
        mirrored = rng.random(len(chosen)) < 0.5
        moved[mirrored] = moved[mirrored, :, ::-1]
        return draw(moved, "clean", rng), scans.train_labels[chosen]

    test = Labelled(draw(scans.test_scans, "clean", np.random.default_rng(0)), scans.test_labels)
    return Task(len(padded), draw_batch, {PLAIN: test}, CLASSES)
