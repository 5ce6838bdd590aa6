"""Views of arrays, compared with NumPy."""

import numpy as np
import pytest

from keras_bin.export.onnx_files.layout import views

SHAPE = (2, 3, 1, 5)
VIEWS = {
    "identity": (0, 1, 2, 3),
    "transpose": (0, 3, 1, 2),
    "squeeze": (0, 1, 3),
    "unsqueeze": (0, 1, None, 2, 3),
    "all": (3, None, 0, 1),
}


def applied(view, x):
    """Returns a view of an array."""
    kept = [axis for axis in view if axis is not None]
    dropped = tuple(axis for axis in range(x.ndim) if axis not in kept)
    rest = np.transpose(np.squeeze(x, dropped), [sorted(kept).index(axis) for axis in kept])
    return np.expand_dims(rest, tuple(p for p, axis in enumerate(view) if axis is None))


def stepwise(steps, x):
    squeezed, order, added = steps
    x = np.squeeze(x, tuple(squeezed))
    return np.expand_dims(np.transpose(x, order or None) if order else x, tuple(added))


x = np.arange(np.prod(SHAPE)).reshape(SHAPE)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_steps_make_the_view(view):
    np.testing.assert_array_equal(stepwise(views.steps(view, SHAPE), x), applied(view, x))


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_inverse_leads_back(view):
    back = views.inverse(view, x.ndim)
    np.testing.assert_array_equal(applied(back, applied(view, x)), x)
    assert views.steps(views.compose(view, back), SHAPE) == ([], [], [])


def test_a_view_of_a_view_is_one_view():
    both = views.compose(VIEWS["unsqueeze"], (4, 2, 0, 1, 3))
    np.testing.assert_array_equal(
        applied(both, x), applied((4, 2, 0, 1, 3), applied(VIEWS["unsqueeze"], x))
    )


def test_only_what_moves_axes_that_are_longer_than_one_takes_a_transpose():
    assert views.steps((0, 2, 1, 3), SHAPE) == ([2], [], [1])
    assert views.steps((0, 3, 1, 2), SHAPE) == ([], [0, 3, 1, 2], [])


@pytest.mark.parametrize(
    ("before", "after", "view"),
    [
        ([None, 8], [None, 1, 1, 8], (0, None, None, 1)),
        ([None, 1, 8], [None, 8], (0, 2)),
        ([None, 4, 8], [None, 32], None),
        ([None, None, 8], [None, None, 1, 8], None),
        ([3, 8], [8, 3], None),
        ([3, 8], None, None),
    ],
    ids=["adds", "drops", "merges", "two unknown", "mixes", "unknown"],
)
def test_a_reshape_is_a_view_where_it_adds_and_drops_axes_alone(before, after, view):
    assert views.of_reshape(before, after) == view
