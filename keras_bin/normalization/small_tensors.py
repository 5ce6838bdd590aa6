"""Operations on tensors of few values, of which Keras's own take long on PyTorch.

There `ops.sum` takes three times as long as PyTorch's, and `ops.reshape` walks the new shape as a
tree. Both are called many times in each step, and a small layer's time goes into them.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def sum_over(x: Any, axes: Sequence[int]) -> Any:
    """Adds up `x` over `axes`, and keeps these with size 1."""
    if keras.backend.backend() == "torch":
        return x.sum(axes, keepdim=True)
    return ops.sum(x, axes, keepdims=True)


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """Gives `x`, a tensor, another shape."""
    if keras.backend.backend() == "torch":
        return x.reshape(shape)
    return ops.reshape(x, shape)
