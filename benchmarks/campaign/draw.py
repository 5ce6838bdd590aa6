"""Random decisions, with notes of what was drawn."""

from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


class Draw:
    """Draws options from a seed, and keeps notes.

    Attributes:
        rng: the generator for everything that is drawn.
        notes: what was noted, in order.
    """

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.notes: list[str] = []

    def of(self, *options: Option) -> Option:
        """Draws one of the options."""
        return options[self.rng.integers(len(options))]

    def chance(self, probability: float) -> bool:
        """Returns True with a probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: int, high: int) -> int:
        """Draws an integer from `low` to `high`."""
        return int(self.rng.integers(low, high + 1))

    def note(self, text: str) -> None:
        """Notes what was drawn."""
        self.notes.append(text)
