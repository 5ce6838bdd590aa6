"""Views of arrays: the same elements, with axes reordered, or axes of size 1 added or dropped.

A view is a tuple with an entry for each axis of the result: the corresponding axis of the source,
or None for a new axis of size 1. Axes of the source without an entry have size 1 and are dropped.
"""

from collections.abc import Sequence
from typing import NamedTuple

View = tuple[int | None, ...]


class Steps(NamedTuple):
    """The operators that make a view, one after the other; an empty list means no such operator.

    Attributes:
        squeezed: axes of the source to drop.
        order: the order to transpose the other axes to.
        added: axes of the result to add.
    """

    squeezed: list[int]
    order: list[int]
    added: list[int]


def identity(rank: int) -> View:
    """Returns the view that changes nothing."""
    return tuple(range(rank))


def compose(first: View, second: View) -> View:
    """Returns `second` of `first` as one view."""
    return tuple(None if axis is None else first[axis] for axis in second)


def inverse(view: View, rank: int) -> View:
    """Returns the view that leads back to a source of `rank` axes."""
    return tuple(view.index(axis) if axis in view else None for axis in range(rank))


def with_dropped_axes(view: View, rank: int) -> View:
    """Uses the axes that a view drops for those that it adds, as both have size 1.

    Axes that can stay in their place are matched first.
    """
    axes = list(view)
    dropped = [axis for axis in range(rank) if axis not in view]
    free = [place for place, axis in enumerate(view) if axis is None]
    for place in [place for place in free if place in dropped]:
        axes[place] = place
        dropped.remove(place)
        free.remove(place)
    for place, axis in zip(free, dropped, strict=False):
        axes[place] = axis
    return tuple(axes)


def without_ones(view: View, shape: Sequence[int | None]) -> View:
    """Drops axes that are known to have size 1, and adds new ones in their place."""
    return tuple(None if axis is None or shape[axis] == 1 else axis for axis in view)


def steps(view: View, shape: Sequence[int | None]) -> Steps:
    """Returns the steps that make a view of a source, without a transpose if possible.

    Args:
        view: the view.
        shape: shape of the source; None for a free size.
    """
    rank = len(shape)
    keeping = _steps(with_dropped_axes(view, rank), rank)
    if not keeping.order:
        return keeping
    dropping = _steps(without_ones(view, shape), rank)
    return keeping if dropping.order else dropping


def _steps(view, rank):
    kept = [axis for axis in view if axis is not None]
    squeezed = [axis for axis in range(rank) if axis not in kept]
    order = [sorted(kept).index(axis) for axis in kept]
    added = [place for place, axis in enumerate(view) if axis is None]
    return Steps(squeezed, [] if order == sorted(order) else order, added)


def shape_of(view: View, shape: Sequence) -> list:
    """Returns the shape of a view of a source of the given shape."""
    return [1 if axis is None else shape[axis] for axis in view]


def of_reshape(before: Sequence, after: Sequence | None) -> View | None:
    """Returns the view that a Reshape makes, or None if it does more than add and drop axes."""
    old = [axis for axis, size in enumerate(before) if size != 1]
    new = [size for size in after or [] if size != 1]
    unknown = sum(before[axis] is None for axis in old)
    if after is None or [before[axis] for axis in old] != new or unknown > 1:
        return None
    axes = iter(old)
    return tuple(None if size == 1 else next(axes) for size in after)
