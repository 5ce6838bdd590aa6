"""The mathematics apart from the layer: moments, the law of total variance, the affine map."""

import numpy as np
import pytest

from keras_bin.statistics import batch_moments, blend, branch_scales, instance_moments
from tests import cases

SHAPE, SPATIAL = (4, 5, 3, 2), (1, 2)


def arrays(values):
    return [np.asarray(value) for value in values]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((4, 5, 2), (1,)),
        ((4, 5, 3, 2), (1, 2)),
        ((4, 2, 5, 3), (2, 3)),
        ((2, 3, 2, 4, 2), (1, 3, 4)),
    ],
    ids=str,
)
def test_instance_moments_are_those_of_each_sample(shape, axes):
    x = cases.random_input(shape)
    centred, mean, variance, count = arrays(instance_moments(x, axes))
    np.testing.assert_allclose(mean, x.mean(axes, keepdims=True), rtol=0, atol=1e-12)
    np.testing.assert_allclose(centred, x - x.mean(axes, keepdims=True), rtol=0, atol=1e-12)
    np.testing.assert_allclose(variance, x.var(axes, keepdims=True), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(count, np.ones_like(mean))


def test_masked_instance_moments_are_those_of_the_valid_elements():
    x = cases.random_input(SHAPE)
    valid = np.random.default_rng(0).uniform(size=SHAPE) < 0.6
    _, mean, variance, count = arrays(instance_moments(x, SPATIAL, valid))
    kept = np.where(valid, x, np.nan)
    np.testing.assert_allclose(mean, np.nanmean(kept, SPATIAL, keepdims=True), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        variance, np.nanvar(kept, SPATIAL, keepdims=True), rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(count, valid.sum(SPATIAL, keepdims=True))


def test_sample_without_valid_elements_has_moments_zero():
    x, valid = cases.random_input(SHAPE), np.ones(SHAPE, bool)
    valid[1] = False
    _, mean, variance, count = arrays(instance_moments(x, SPATIAL, valid))
    np.testing.assert_array_equal([mean[1], variance[1], count[1]], np.zeros((3, 1, 1, 2)))


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_batch_moments_are_those_of_the_pooled_elements(masked):
    x = cases.random_input(SHAPE)
    valid = np.random.default_rng(0).uniform(size=SHAPE) < 0.6 if masked else None
    mean, variance = arrays(batch_moments(instance_moments(x, SPATIAL, valid)))
    pooled = np.where(valid, x, np.nan) if masked else x
    assert mean.shape == variance.shape == (1, 1, 1, 2)
    np.testing.assert_allclose(mean.ravel(), np.nanmean(pooled, (0, 1, 2)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(variance.ravel(), np.nanvar(pooled, (0, 1, 2)), rtol=0, atol=1e-12)


def test_batch_moments_add_up_over_replicas():
    """Two replicas with the same samples have the moments of one of them."""
    instance = instance_moments(cases.random_input(SHAPE), SPATIAL)
    seen = []

    def twice(values):
        seen.append(values)
        return 2 * values

    alone, together = batch_moments(instance), batch_moments(instance, twice)
    assert len(seen) == 3
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)


def test_variance_of_constant_samples_is_the_spread_of_their_means():
    x = np.broadcast_to(np.array([1.0, 2.0, 6.0])[:, None, None], (3, 4, 1))
    _, variance = batch_moments(instance_moments(x, (1,)))
    np.testing.assert_allclose(np.ravel(variance), np.var([1, 2, 6]), rtol=1e-12, atol=0)


def test_branch_scales_are_plain_numpy():
    gamma, rho, variance = np.array([2.0, 3.0]), np.array([0.25, 1.0]), np.array([4.0, 0.0])
    scale, instance_scale = branch_scales(gamma, rho, variance, 0.25)
    assert type(scale) is type(instance_scale) is np.ndarray
    np.testing.assert_allclose(scale, gamma * rho / np.sqrt([4.25, 0.25]), rtol=1e-14, atol=0)
    np.testing.assert_array_equal(instance_scale, [1.5, 0.0])


def test_blend_is_the_mix_of_both_normalizations():
    x, epsilon = cases.random_input(SHAPE), 0.1
    gamma, beta, rho = (np.array(pair) for pair in ([2.0, -1.0], [0.5, 3.0], [0.3, 0.8]))
    mean, variance = np.array([1.0, -2.0]), np.array([0.5, 4.0])
    scales = branch_scales(gamma, rho, variance, epsilon)
    found = blend(instance_moments(x, SPATIAL), mean, *scales, beta, epsilon)
    batch = (x - mean) / np.sqrt(variance + epsilon)
    own = x.var(SPATIAL, keepdims=True)
    instance = (x - x.mean(SPATIAL, keepdims=True)) / np.sqrt(own + epsilon)
    expected = (rho * batch + (1 - rho) * instance) * gamma + beta
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
