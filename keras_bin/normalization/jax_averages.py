"""Averages of several arrays at once in JAX, and arrays that are computed once."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp

_LARGEST_PART = 16


def spatial_means(values: Sequence[Any], axes: Sequence[int]) -> list[Any]:
    """Averages arrays of one shape over `axes`, ascending, and keeps these with size 1.

    XLA for CPUs computes a reduction of several arrays in one pass over what they are computed
    from. It is fast if it is short: parts of at most 16 neighbors are summed first. An array that
    may be divided among devices along these axes must not be reshaped: JAX would gather it.
    """
    shape = values[0].shape
    sizes = [shape[axis] for axis in axes]
    adjacent = axes[-1] - axes[0] < len(axes)
    if not _on_one_processor() or not adjacent or not all(isinstance(size, int) for size in sizes):
        return [jnp.mean(each, axes, keepdims=True) for each in values]
    first, elements = axes[0], math.prod(sizes)
    part = next((n for n in range(_LARGEST_PART, 1, -1) if elements % n == 0), 1)
    rest = shape[axes[-1] + 1 :]
    parts = [each.reshape(*shape[:first], elements // part, part, *rest) for each in values]
    kept = *shape[:first], *(1 for _ in axes), *rest
    return [(each.sum(first) / elements).reshape(kept) for each in _sums(first + 1, tuple(parts))]


def computed_once(*values: Any) -> Sequence[Any]:
    """Returns the values of small arrays, broadcast against each other, in arrays of their own.

    XLA for CPUs would compute them anew for each element of a larger array that they belong to; it
    also removes optimization barriers first. A sum of several arrays it computes once.
    """
    if not _on_one_processor():
        return values
    arrays = jnp.broadcast_arrays(*values)
    return list(_sums(0, tuple(jnp.stack([each, jnp.zeros_like(each)]) for each in arrays)))


def _on_one_processor() -> bool:
    devices = jax.devices()
    return len(devices) == 1 and devices[0].platform == "cpu"


def _add(sums: Sequence[Any], others: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(lax.add(*pair) for pair in zip(sums, others, strict=True))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _sums(axis: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
    zeros = tuple(jnp.zeros((), each.dtype) for each in values)
    sums: tuple[Any, ...] = lax.reduce(values, zeros, _add, (axis,))
    return sums


@_sums.defjvp
def _sums_jvp(axis: int, values: Any, tangents: Any) -> tuple[Any, Any]:
    return _sums(axis, *values), tuple(each.sum(axis) for each in tangents[0])
