"""Domains to adapt between: styles of digits, or the pictures of Office-Home."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from common.office_home import DOMAINS, find_pictures, read_pictures
from common.scans import CLASSES, Scans
from common.styles import STYLES, draw, draw_held_out

PICTURE_SIZE = 64  # of Office-Home


class Task(NamedTuple):
    """What one net learns from and is tested on. There are no target labels to train on.

    Attributes:
        source: pictures of shape `(n, height, width, 3)`.
        source_labels: shape `(n,)`.
        target: pictures of the same height and width; their number may differ.
        target_test: target pictures.
        target_test_labels: shape `(len(target_test),)`.
        source_test: source pictures.
        source_test_labels: shape `(len(source_test),)`.
    """

    source: np.ndarray
    source_labels: np.ndarray
    target: np.ndarray
    target_test: np.ndarray
    target_test_labels: np.ndarray
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
        counts: how many pictures there are, if that is not always the same.
    """

    names: tuple[str, ...]
    task: Callable[[str, str, int], Task]
    classes: int
    depth: int
    steps: int
    caption: str
    counts: Mapping[str, int] = MappingProxyType({})


def style_domains(scans: Scans, depth: int, steps: int, caption: str) -> Domains:
    """Makes four domains of the styles of scans.

    Args:
        scans: half of those to train on are drawn in the source style, half in the target style.
        depth: of the residual net.
        steps: of each training, a multiple of `PARTS`.
        caption: says what the scans are.
    """
    held_out = draw_held_out(scans)

    def task(source, target, seed):
        rng = np.random.default_rng(seed)
        one, other = np.array_split(rng.permutation(len(scans.train_scans)), 2)
        return Task(
            source=draw(scans.train_scans[one], source, rng),
            source_labels=scans.train_labels[one],
            target=draw(scans.train_scans[other], target, rng),
            target_test=held_out[target],
            target_test_labels=scans.test_labels,
            source_test=held_out[source],
            source_test_labels=scans.test_labels,
        )

    return Domains(
        names=tuple(STYLES),
        task=task,
        classes=CLASSES,
        depth=depth,
        steps=steps,
        caption=f"{len(scans.train_scans):,} {caption} to train on, half of "
        "them labelled and in the source style, half without labels in the target style; "
        f"{len(scans.test_scans):,} others to test on, in both styles. Not the Office-Home "
        "pictures that the paper used.",
        counts={"pictures": len(scans.train_scans), "held_out": len(scans.test_scans)},
    )


def digit_domains(scans: Scans) -> Domains:
    """Makes four domains of the styles of digits."""
    return style_domains(scans, 8, 400, "handwritten digits of 8x8 pixels")


def office_home_domains(folder: Path) -> Domains:
    """Reads the four domains of Office-Home.

    Raises:
        ValueError: the folder is not as `find_pictures` wants it.
    """
    files = find_pictures(folder)
    read = {name: read_pictures(files[name], PICTURE_SIZE, name) for name in DOMAINS}

    def task(source, target, seed):
        source_pictures, source_labels = read[source]
        target_pictures, target_labels = read[target]
        return Task(
            source=source_pictures,
            source_labels=source_labels,
            target=target_pictures,
            target_test=target_pictures,
            target_test_labels=target_labels,
            source_test=source_pictures,
            source_test_labels=source_labels,
        )

    return Domains(
        names=DOMAINS,
        task=task,
        classes=len(files[DOMAINS[0]]),
        depth=20,
        steps=10_000,
        caption=f"Office-Home at {PICTURE_SIZE}x{PICTURE_SIZE} pixels; the source domain labelled, "
        "the target domain without labels; tested on the target pictures, and on the source "
        "pictures learnt. Not the nets of the paper, which were larger and trained on ImageNet "
        "before.",
    )
