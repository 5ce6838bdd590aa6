"""What must be known about a third-party network to export it."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Net:
    """A third-party network.

    Attributes:
        build: makes it; the package is imported only then.
        module: what it comes from, as `import` names it.
        free: replaces each size that the net leaves free.
        shape: shape of the one input of a subclassed model, which does not define it.
        samples: makes a number of inputs, for a net that accepts no others.
        trained: whether it comes with weights, which are then kept.
        pixels: whether it expects values from 0 to 255, which it scales itself.
    """

    build: Callable[[], keras.Model]
    module: str
    free: int = 32
    shape: tuple[int, ...] | None = None
    samples: Callable[[int], np.ndarray] | None = None
    trained: bool = False
    pixels: bool = False
