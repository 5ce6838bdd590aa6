"""Sizes for free axes: of every kind, none that is a number of channels, all accepted."""

import pytest

from keras_bin.sampling.sizes import free_axes, sizes_to_try


def anything(_sizes):
    return True


def multiple_of(number):
    return lambda sizes: all(size % number == 0 for size in sizes)


def at_least(number):
    return lambda sizes: min(sizes) >= number


@pytest.mark.parametrize(
    ("shapes", "axes"),
    [
        ([], 0),
        ([(None, 8, 8, 3)], 0),
        ([(None, None, 3)], 1),
        ([(None, 4), (None, None, None, 3), (None, None)], 2),
        ([(4, None, None, None, 1)], 3),
    ],
    ids=["no input", "fixed", "sequence", "several inputs", "video"],
)
def test_batch_axis_is_no_free_size(shapes, axes):
    assert free_axes(shapes) == axes


@pytest.mark.parametrize("axes", [1, 2, 3, 5])
def test_sizes_are_usual_odd_oblong_and_tiny(axes):
    first, *further = sizes_to_try(axes, (), anything)
    assert first == (16 if axes > 2 else 32,) * axes
    assert all(len(sizes) == axes == len(set(sizes)) for sizes in further)
    assert any(size % 2 for sizes in further for size in sizes)
    assert min(min(sizes) for sizes in further) < 10
    assert len({first, *further}) == 4


@pytest.mark.parametrize(
    "channels",
    [{32}, {32, 48, 64}, {33, 47, 31, 7, 5}, set(range(3, 70))],
    ids=["first", "usual", "odd", "all small ones"],
)
def test_no_size_is_a_number_of_channels(channels):
    found = sizes_to_try(2, channels, anything)
    assert len(found) >= 3
    assert not channels & {size for sizes in found for size in sizes}


@pytest.mark.parametrize("number", [5, 12, 16, 32], ids=str)
def test_model_that_needs_multiples_gets_them_also_oblong(number):
    found = sizes_to_try(2, {3, 64, 128}, multiple_of(number))
    assert all(multiple_of(number)(sizes) for sizes in found)
    assert any(height != width for height, width in found)


def test_model_that_needs_squares_gets_two():
    found = sizes_to_try(2, (), lambda sizes: sizes[0] == sizes[1])
    assert found == [(32, 32), (48, 48)]


def test_size_of_the_channels_is_better_than_none():
    assert sizes_to_try(1, {32}, lambda sizes: sizes == (32,)) == [(32,)]


@pytest.mark.parametrize(("axes", "least"), [(1, 10_000), (1, 16_000), (2, 500), (3, 90)], ids=str)
def test_model_that_needs_more_gets_larger_sizes(axes, least):
    found = sizes_to_try(axes, (), at_least(least))
    assert found
    assert all(least <= min(sizes) < 2 * least + 64 for sizes in found)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_model_that_accepts_no_size_gets_none(axes):
    assert sizes_to_try(axes, (), lambda _sizes: False) == []


def test_size_at_which_resizing_rounds_otherwise_is_among_them():
    """Of all sizes below 150, nearest-neighbour resizing to 6 differs in ONNX only at these."""
    sizes = {size for sizes in sizes_to_try(2, {3}, anything) for size in sizes}
    assert sizes & {20, 40, 80, 84}
