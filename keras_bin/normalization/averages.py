"""Averages over the spatial axes, in sums short enough for float32 to keep its digits; counts."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_bin.normalization.small_tensors import sum_over

_PILOT_DIVISOR = 16

# TensorFlow's kernels and its XLA for CPUs add one element after another, so a long mean is first
# taken of parts of at most 16 neighbors, and then of the parts. XLA's code for that is several
# times faster, unless there are fewer than 33 parts: it then fuses both into one long sum.
_LARGEST_PART, _FEWEST_PARTS = 16, 33
_LONGEST_SUM = _LARGEST_PART * _FEWEST_PARTS - 1


def spatial_means(values: Sequence[Any], axes: Sequence[int]) -> list[Any]:
    """Averages tensors of one shape over `axes`, ascending, and keeps these with size 1."""
    if keras.backend.backend() == "jax":
        from keras_bin.normalization import jax_averages

        return jax_averages.spatial_means(values, axes)
    return [spatial_mean(each, axes) for each in values]


def spatial_mean(x: Any, axes: Sequence[int]) -> Any:
    """Averages over `axes`, ascending, and keeps them with size 1."""
    if keras.backend.backend() != "tensorflow":
        return _mean(x, axes)
    first, last = axes[0], axes[-1]
    sizes = x.shape[first : last + 1]
    adjacent = len(axes) == len(sizes)
    factors = _factors(math.prod(sizes)) if adjacent and None not in sizes else ()
    if not factors:
        for axis in reversed(axes):
            x = ops.mean(x, axis, keepdims=True)
        return x
    inner = [*factors] + [1] * (len(axes) - 1)
    x = ops.reshape(x, [-1, *x.shape[1:first], *inner, *x.shape[last + 1 :]])
    for axis in range(first + len(factors) - 1, first, -1):
        x = ops.mean(x, axis)
    return ops.mean(x, first, keepdims=True)


def moments_over(x: Any, axis: int) -> tuple[Any, Any]:
    """Returns the mean and biased variance over one axis, and keeps it with size 1."""
    if keras.backend.backend() == "tensorflow":
        mean, variance = ops.moments(x, axis, keepdims=True)
        return mean, variance
    mean = _mean(x, (axis,))
    return mean, _mean(ops.square(x - mean), (axis,))


def mean_over(x: Any, axis: int) -> Any:
    """Averages over one axis, and keeps it with size 1."""
    if keras.backend.backend() == "tensorflow":
        return ops.mean(x, axis, keepdims=True)
    return _mean(x, (axis,))


def _mean(x: Any, axes: Sequence[int]) -> Any:
    # Outside of TensorFlow, `ops.mean` and `ops.moments` of Keras 3.15 are in float32, whatever the
    # dtype of `x`.
    return sum_over(x, axes) / element_count(x, axes)


def _factors(elements: int) -> tuple[int, ...]:
    """Splits a number of elements into factors, or returns () if that is not possible.

    The last factor is the number of neighbors that are summed first; the first is the number
    of parts that are summed last. The first is at most 527, all others at most 16.
    """
    factors: list[int] = []
    while elements > _LONGEST_SUM or not factors:
        largest = min(_LARGEST_PART, elements // _FEWEST_PARTS)
        part = next((n for n in range(largest, 1, -1) if elements % n == 0), None)
        if part is None:
            break
        factors.insert(0, part)
        elements //= part
    return (elements, *factors) if 0 < elements <= _LONGEST_SUM else ()


def first_rows(x: Any, axis: int) -> Any:
    """Returns the first 16th of `x` along `axis`, at least one element."""
    # Rounded up without a negative number, whose division ONNX rounds the other way.
    rows = (_size(x, axis) + _PILOT_DIVISOR - 1) // _PILOT_DIVISOR
    return x[(slice(None),) * axis + (slice(rows),)]


def _size(x: Any, axis: int) -> Any:
    """Returns the size of `x` along `axis`, a scalar tensor if it is not known yet."""
    # Not `ops.shape` for all: it adds operators to TensorFlow's graph even where none is needed.
    return ops.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]


def element_count(x: Any, axes: Sequence[int]) -> Any:
    """Returns the number of elements along `axes`, a scalar tensor if it is not known yet."""
    count = math.prod(_size(x, axis) for axis in axes)
    return count if isinstance(count, int) else ops.cast(count, x.dtype)


def at_least_one(count: Any) -> Any:
    """Returns `count`, but 1 where it is 0."""
    if isinstance(count, int):
        return max(count, 1)
    # Outside of TensorFlow, Keras 3.15 turns float64 into float32 here.
    return ops.cast(ops.maximum(count, 1), count.dtype)


def first_element(x: Any, axes: Sequence[int]) -> Any:
    """Returns the first element of each sample and channel; a constant sample minus it is 0.

    Args:
        x: a tensor.
        axes: the spatial axes, all but batch and channel, ascending.
    """
    return x[tuple(slice(1) if axis in axes else slice(None) for axis in range(len(x.shape)))]
