"""Averages of several arrays at once in JAX."""

import jax
import numpy as np
import pytest

from keras_bin.normalization import jax_averages


def draw(shape):
    """Returns two arrays."""
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


def means(x, y, axes=(1, 2)):
    """Averages two arrays."""
    return jax_averages.spatial_means((x, y), axes)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((2, 17, 3), (1,)),
        ((2, 7, 7, 3), (1, 2)),
        ((2, 32, 32, 3), (1, 2)),
        ((2, 3, 8, 5), (2, 3)),
        ((2, 4, 3, 6), (1, 3)),
        ((2, 1, 1, 3), (1, 2)),
        ((0, 4, 4, 3), (1, 2)),
    ],
    ids=str,
)
def test_averages_keep_their_axes(shape, axes):
    values = draw(shape)
    found = means(*values, axes)
    for each, value in zip(found, values, strict=True):
        np.testing.assert_allclose(each, value.mean(axes, keepdims=True), rtol=0, atol=1e-6)


def test_images_without_pixels_have_averages_of_their_shape():
    assert [each.shape for each in means(*draw((2, 0, 4, 3)))] == [(2, 1, 1, 3)] * 2


def test_one_reduction_serves_all_arrays():
    """Otherwise, XLA would read what they are computed from once for each."""
    lowered = jax.jit(means).lower(*draw((2, 8, 8, 3))).as_text()
    assert lowered.count("across dimensions = [2]") == 1


def test_averages_have_all_derivatives():
    values = draw((2, 8, 8, 3))

    def loss(x, y, average):
        mean, square = average(x, x * y)
        return (mean * square**2).sum()

    def plain(x, y):
        return [each.mean((1, 2), keepdims=True) for each in (x, y)]

    def penalty(x, y, average):
        return (jax.grad(loss)(x, y, average) ** 2).sum()

    for function in (loss, penalty):
        ours, theirs = (jax.grad(function, (0, 1))(*values, each) for each in (means, plain))
        for found, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def scaled(x, once):
    """Multiplies images by what follows from their means."""
    mean = x.mean((1, 2), keepdims=True)
    slope, offset = once(mean * mean + 1, mean - 2)
    return x * slope + offset


def test_values_that_are_computed_once_are_the_same():
    x, _ = draw((2, 8, 8, 3))
    x[0, 0, 0] = np.inf, -np.inf, np.nan
    with np.errstate(invalid="ignore"):
        expected = scaled(x, lambda *values: values)
    np.testing.assert_allclose(
        jax.jit(scaled, static_argnums=1)(x, jax_averages.computed_once), expected, rtol=1e-5
    )


def test_they_are_broadcast():
    slope, offset = jax_averages.computed_once(np.ones((2, 1, 1, 3)), np.zeros((1, 1, 1, 3)))
    assert slope.shape == offset.shape == (2, 1, 1, 3)


def test_xla_computes_them_before_the_large_array():
    """The last fusion takes them; it would otherwise take the mean, and compute them again."""
    x, _ = draw((2, 8, 8, 3))
    text = (
        jax.jit(scaled, static_argnums=1).lower(x, jax_averages.computed_once).compile().as_text()
    )
    (line,) = (
        line
        for line in text.splitlines()
        if line.lstrip().startswith("ROOT") and "[2,8,8,3]" in line and "fusion(" in line
    )
    assert len(line[line.index("fusion(") : line.index(")", line.index("fusion("))].split(",")) == 3
