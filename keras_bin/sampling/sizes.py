"""Which sizes to try if a model leaves sizes free."""

import itertools
from collections.abc import Callable, Container, Iterator

Sizes = tuple[int, ...]

FIRST = ((32,), (48,), (40,), (60,), (96,), (160,), (224,))
# Odd, oblong and tiny sizes, each followed by similar ones that some models need, such as multiples
# of 16 in a U-Net. Only as many axes are used as are free. 40 is one of the few sizes at which
# float32 rounds the steps of nearest-neighbor resizing to 6 in ONNX differently from TensorFlow.
FURTHER = (
    ((33, 47, 21), (48, 80, 16), (60, 45, 30), (96, 64, 32), (48,), (96,)),
    ((40, 31, 9), (80, 48, 32), (96, 160, 32), (75, 60, 15)),
    ((7, 5, 9), (11, 14, 13), (17, 22, 19), (20, 24, 16)),
)
# What comes before each of these rows if three or more axes are free: volumes have many elements.
VOLUMES = (((16,),), ((17, 23, 11),), ((20, 15, 9),), ())
LARGEST = {1: 16384, 2: 512}
LARGEST_OF_MORE = 96
LARGEST_STEP = 8


def free_axes(shapes: list[tuple[int | None, ...]]) -> int:
    """Returns the largest number of free sizes in one of `shapes`, without the batch axis."""
    return max((shape[1:].count(None) for shape in shapes), default=0)


def sizes_to_try(
    axes: int, channels: Container[int], accepts: Callable[[Sizes], bool]
) -> list[Sizes]:
    """Chooses sizes for free axes: about 32 first, or 16 in volumes, then odd, oblong, tiny ones.

    Sizes that equal a number of channels are avoided, because Keras 3.15 on TensorFlow adds the
    bias of channels-first data along the wrong axis if the width equals the channels. If a model
    accepts none of the others, they are tried too, and then larger ones.

    Args:
        axes: number of free axes of the input that has the most.
        channels: numbers of channels in the model.
        accepts: tells whether the model runs at given sizes.

    Returns:
        Different sizes, each a tuple of length `axes`; empty if the model accepts none.
    """
    for avoided in (channels, ()):
        rows = [[_suited(sizes, axes, avoided) for sizes in row] for row in _rows(axes)]
        chosen = [next(filter(accepts, row), None) for row in rows]
        found = list(dict.fromkeys(sizes for sizes in chosen if sizes))
        if found:
            return found if len(found) > 1 else found + _beside(found[0], channels, accepts)
    for size in _doublings(axes):
        squares = (_suited((size,), axes, channels), (size,) * axes)
        square = next(filter(accepts, dict.fromkeys(squares)), None)
        if square:
            return [square, *_beside(square, channels, accepts)]
    return []


def _rows(axes):
    before = VOLUMES if axes > 2 else [()] * len(VOLUMES)
    return [(*small, *row) for small, row in zip(before, (FIRST, *FURTHER), strict=True)]


def _beside(sizes, channels, accepts):
    """Returns one odd or oblong size that is somewhat larger, if a model accepts any."""
    axes, size = len(sizes), sizes[0]
    odd = tuple(size + 2 * n + 1 for n in range(axes))
    larger = (_suited(odd, axes, channels), (2 * size, *sizes[1:]))
    return list(itertools.islice(filter(accepts, larger), 1))


def _suited(sizes, axes, avoided):
    """Returns `axes` sizes, none of them avoided: all different, or one size for all axes."""
    if len(sizes) == 1:
        return (_next(sizes[0], avoided),) * axes
    suited = []
    for size in itertools.islice(itertools.chain(sizes, itertools.count(3, 2)), axes):
        suited.append(_next(size, [*avoided, *suited]))
    return tuple(suited)


def _next(size, avoided):
    """Returns the first size from `size` up that is not avoided and as even as `size` is."""
    step = max(2, min(size & -size, LARGEST_STEP))
    return next(other for other in itertools.count(size, step) if other not in avoided)


def _doublings(axes) -> Iterator[int]:
    largest = LARGEST.get(axes, LARGEST_OF_MORE)
    size = 64
    while size <= largest:
        yield size
        size *= 2
