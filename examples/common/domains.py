"""Domains to adapt between: styles of digits, or the pictures of Office-Home."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.digit_styles import CLASSES, STYLES, DigitSplit, draw, draw_held_out
from common.office_home import DOMAINS, find_pictures, read_pictures

PICTURE_SIZE = 64  # of Office-Home


class Task(NamedTuple):
    """What one net learns from, and is tested on. There are no labels of the target to train on.

    Attributes:
        source: pictures of shape `(n, height, width, 3)`.
        source_labels: shape `(n,)`.
        target: pictures of the same height and width, as many or fewer or more.
        test: target pictures.
        test_labels: shape `(len(test),)`.
        source_test: source pictures.
        source_test_labels: shape `(len(source_test),)`.
    """

    source: np.ndarray
    source_labels: np.ndarray
    target: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    source_test: np.ndarray
    source_test_labels: np.ndarray


class Domains(NamedTuple):
    """A set of domains, and the nets for it.

    Attributes:
        names: of the domains.
        task: makes the `Task` of a source, a target and a seed.
        classes: how many there are.
        depth: of the residual net.
        steps: of each training, a multiple of `PARTS`.
        caption: says what is learnt from what.
    """

    names: tuple[str, ...]
    task: Callable[[str, str, int], Task]
    classes: int
    depth: int
    steps: int
    caption: str


def digit_domains(split: DigitSplit) -> Domains:
    """Makes four domains of the styles of digits."""
    held_out = draw_held_out(split)

    def task(source, target, seed):
        rng = np.random.default_rng(seed)
        one, other = np.array_split(rng.permutation(len(split.train_scans)), 2)
        return Task(
            draw(split.train_scans[one], source, rng),
            split.train_labels[one],
            draw(split.train_scans[other], target, rng),
            held_out[target],
            split.test_labels,
            held_out[source],
            split.test_labels,
        )

    return Domains(
        names=tuple(STYLES),
        task=task,
        classes=CLASSES,
        depth=8,
        steps=400,
        caption=f"{len(split.train_scans)} handwritten digits of 8x8 pixels to train on, half of "
        "them labelled and in the source style, half without labels in the target style; "
        f"{len(split.test_scans)} others to test on, in both styles. Not the Office-Home "
        "pictures that the paper used.",
    )


def office_home_domains(folder: Path) -> Domains:
    """Reads the four domains of Office-Home.

    Raises:
        ValueError: the folder is not as `find_pictures` wants it.
    """
    files = find_pictures(folder)
    read = {name: read_pictures(files[name], PICTURE_SIZE, name) for name in DOMAINS}

    def task(source, target, seed):
        return Task(*read[source], read[target][0], *read[target], *read[source])

    return Domains(
        names=DOMAINS,
        task=task,
        classes=len(files[DOMAINS[0]]),
        depth=20,
        steps=10_000,
        caption=f"Office-Home at {PICTURE_SIZE}x{PICTURE_SIZE} pixels; the source domain labelled, "
        "the target domain without labels; both are tested on. Not the nets of the paper, which "
        "were larger and trained on ImageNet before.",
    )
