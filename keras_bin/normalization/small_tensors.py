"""Operations on tensors of few values, on which much of a small layer's time may depend.

On PyTorch, `ops.sum` takes three times as long as PyTorch's own for few values, and `ops.reshape`
walks the new shape as a tree. Both are called many times in each step.
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


def computed_once(*values: Any) -> Sequence[Any]:
    """Keeps JAX from computing values of samples and channels anew for each element of an input."""
    if keras.backend.backend() == "jax":
        from keras_bin.normalization import jax_averages

        return jax_averages.computed_once(*values)
    return values
