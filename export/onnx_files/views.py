"""Views: the same elements with their axes in another order, and with axes of size 1 or without.

A view is a tuple with an entry for each axis of its result: the axis of the source that it is, or
None for a new axis of size 1. Axes of the source without an entry have size 1.
"""

from collections.abc import Sequence

View = tuple[int | None, ...]


def identity(rank: int) -> View:
    """Returns the view that changes nothing."""
    return tuple(range(rank))


def then(first: View, second: View) -> View:
    """Returns the view that is `second` of `first`."""
    return tuple(None if axis is None else first[axis] for axis in second)


def inverse(view: View, rank: int) -> View:
    """Returns the view that leads back to a source of `rank` axes."""
    return tuple(view.index(axis) if axis in view else None for axis in range(rank))


def filled(view: View, rank: int) -> View:
    """Lets new axes of size 1 be axes of the source that would be dropped.

    Where the rest allows it they are the axes that stand at the same place.
    """
    view = list(view)
    dropped = [axis for axis in range(rank) if axis not in view]
    free = [place for place, axis in enumerate(view) if axis is None]
    for place in [place for place in free if place in dropped]:
        view[place] = place
        dropped.remove(place)
        free.remove(place)
    for place, axis in zip(free, dropped, strict=False):
        view[place] = axis
    return tuple(view)


def without_ones(view: View, sizes: Sequence[int | None]) -> View:
    """Lets axes of the source that are known to have size 1 be dropped and added anew."""
    return tuple(None if axis is None or sizes[axis] == 1 else axis for axis in view)


def steps(view: View, sizes: Sequence[int | None]) -> tuple[list[int], list[int], list[int]]:
    """Returns what makes a view of a source of these sizes, a transpose only if it has to be.

    That is what `parts` returns.
    """
    rank = len(sizes)
    whole = parts(filled(view, rank), rank)
    if not whole[1]:
        return whole
    moved = parts(without_ones(view, sizes), rank)
    return whole if moved[1] else moved


def parts(view: View, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Returns the axes to squeeze, the order to transpose to then, and the axes to unsqueeze.

    The order is empty where nothing is to be transposed.
    """
    kept = [axis for axis in view if axis is not None]
    squeezed = [axis for axis in range(rank) if axis not in kept]
    order = [sorted(kept).index(axis) for axis in kept]
    added = [place for place, axis in enumerate(view) if axis is None]
    return squeezed, [] if order == sorted(order) else order, added


def shape_of(view: View, sizes: Sequence) -> list:
    """Returns the shape of a view of a source that has these sizes."""
    return [1 if axis is None else sizes[axis] for axis in view]


def of_shapes(before: Sequence, after: Sequence | None) -> View | None:
    """Returns the view that a Reshape is if it only adds and drops axes of size 1, else None."""
    old = [axis for axis, size in enumerate(before) if size != 1]
    new = [size for size in after or [] if size != 1]
    unknown = sum(before[axis] is None for axis in old)
    if after is None or [before[axis] for axis in old] != new or unknown > 1:
        return None
    axes = iter(old)
    return tuple(None if size == 1 else next(axes) for size in after)
