"""Grey pictures to draw in styles, with their labels."""

from typing import NamedTuple

import numpy as np

CLASSES = 10  # of digits, and of garments


class Scans(NamedTuple):
    """Scans and labels, apart for training and evaluation.

    Attributes:
        train_scans: shape `(n, height, width)`, ink from 0 (paper) to 1, float32.
        test_scans: scans of the same height and width, none of which is among `train_scans`.
        train_labels: shape `(n,)`, integers from 0 to `CLASSES - 1`.
        test_labels: shape `(len(test_scans),)`.
    """

    train_scans: np.ndarray
    test_scans: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray

    def first(self, train: int, test: int) -> "Scans":
        """Keeps the first `train` scans to train on, and the first `test` to test on."""
        return Scans(
            self.train_scans[:train],
            self.test_scans[:test],
            self.train_labels[:train],
            self.test_labels[:test],
        )
