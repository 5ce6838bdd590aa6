"""Statistics of samples and of the batch: their values, and their digits in float32."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_bin.normalization import moments
from keras_bin.normalization.moments import batch_moments, moments_about
from tests import cases

SHAPE, SPATIAL = (4, 5, 3, 2), (1, 2)

pytestmark = pytest.mark.usefixtures("x64")


def instance_moments(x, axes, valid=None):
    given = (None if each is None else ops.convert_to_tensor(each) for each in (x, valid))
    x, valid = given
    return moments.instance_moments(x, axes, valid)


def arrays(values):
    return type(values)(*map(np.asarray, values))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((4, 5, 2), (1,)),
        ((4, 16, 2), (1,)),
        ((2, 99, 2), (1,)),
        ((2, 1600, 1), (1,)),
        ((2, 20000, 1), (1,)),
        ((4, 5, 3, 2), (1, 2)),
        ((4, 6, 4, 2), (1, 2)),
        ((2, 20, 10, 2), (1, 2)),
        ((1, 37, 37, 1), (1, 2)),
        ((4, 2, 5, 3), (2, 3)),
        ((4, 2, 4, 3), (2, 3)),
        ((2, 3, 17, 12), (2, 3)),
        ((2, 8, 5, 5, 2), (1, 2, 3)),
        ((4, 6, 3, 4), (1, 3)),
        ((2, 3, 2, 4, 2), (1, 2, 3)),
        ((2, 3, 2, 4, 2), (1, 3, 4)),
    ],
    ids=str,
)
def test_instance_moments_are_those_of_each_sample(shape, axes):
    x = cases.random_input(shape)
    found = arrays(instance_moments(x, axes))
    mean = x.mean(axes, keepdims=True)
    np.testing.assert_allclose(found.mean_minus(mean), 0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.shifted, x - found.pilot, rtol=0, atol=1e-12)
    variance = x.var(axes, keepdims=True)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-12, atol=1e-12)
    rows = x.take(range(-(-x.shape[axes[0]] // 16)), axes[0])
    pilot = rows.mean(axes, keepdims=True)
    np.testing.assert_allclose(found.pilot, pilot, rtol=0, atol=1e-12)
    assert found.count == np.prod([shape[axis] for axis in axes])


def test_masked_instance_moments_are_those_of_the_valid_elements():
    x = cases.random_input(SHAPE)
    valid = np.random.default_rng(0).uniform(size=SHAPE) < 0.6
    found = arrays(instance_moments(x, SPATIAL, valid))
    kept = np.where(valid, x, np.nan)
    mean = np.nanmean(kept, SPATIAL, keepdims=True)
    np.testing.assert_allclose(found.mean_minus(mean), 0, rtol=0, atol=1e-12)
    variance = np.nanvar(kept, SPATIAL, keepdims=True)
    np.testing.assert_allclose(found.variance, variance, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.count, valid.sum(SPATIAL, keepdims=True))


def test_sample_without_valid_elements_has_moments_zero():
    x, valid = cases.random_input(SHAPE), np.ones(SHAPE, bool)
    valid[1] = False
    found = arrays(instance_moments(x, SPATIAL, valid))
    of_sample = [found.mean_minus(0)[1], found.variance[1], found.count[1]]
    np.testing.assert_array_equal(of_sample, np.zeros((3, 1, 1, 2)))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((4, 5, 2), (1,)),
        ((4, 5, 3, 2), (1, 2)),
        ((4, 2, 5, 3), (2, 3)),
        ((4, 6, 3, 4), (1, 3)),
        ((2, 3, 2, 4, 2), (1, 2, 3)),
    ],
    ids=str,
)
@pytest.mark.parametrize("pilot", [0, "per channel"], ids=str)
def test_moments_about_a_known_pilot_are_those_of_each_sample(pilot, shape, axes):
    x = cases.random_input(shape)
    if pilot:
        channels = [1 if axis in (0, *axes) else size for axis, size in enumerate(shape)]
        pilot = np.random.default_rng(1).normal(2, 1, channels)
    about = pilot if isinstance(pilot, int) else ops.convert_to_tensor(pilot)
    found = arrays(moments_about(ops.convert_to_tensor(x), about, axes))
    mean = x.mean(axes, keepdims=True)
    np.testing.assert_allclose(found.mean_minus(mean), 0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.shifted, x - pilot, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.variance, x.var(axes, keepdims=True), rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(found.pilot, pilot)
    assert found.count == np.prod([shape[axis] for axis in axes])


@pytest.mark.parametrize("deviation", [1.0, 0.01])
def test_float32_moments_about_the_running_mean_keep_their_digits(deviation):
    """At mean 1000, half a standard deviation away from the running mean."""
    rng = np.random.default_rng(0)
    x = (1000 + deviation * rng.normal(size=(4, 56, 56, 3))).astype("float32")
    pilot = np.full((1, 1, 1, 3), 1000 + deviation / 2, "float32")
    found = arrays(moments_about(ops.convert_to_tensor(x), ops.convert_to_tensor(pilot), SPATIAL))
    exact = x.astype("float64")
    spread = exact.std(SPATIAL, keepdims=True)
    error = (
        pilot.astype("float64") + found.shifted_mean - exact.mean(SPATIAL, keepdims=True)
    ) / spread
    np.testing.assert_allclose(error, 0, rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.variance, spread**2, rtol=1e-5, atol=0)


def test_moments_of_a_small_sample_depend_on_nothing_else_to_the_last_digit():
    x = cases.random_input((30, 5, 3, 20)).astype("float32")
    alone, together = (arrays(instance_moments(v, SPATIAL)) for v in (x[1:], x))
    np.testing.assert_array_equal(together.mean_minus(0)[1:], alone.mean_minus(0))
    np.testing.assert_array_equal(together.variance[1:], alone.variance)


@pytest.mark.parametrize("size", [(14, 14), (32, 32)], ids=str)
def test_moments_of_a_sample_depend_on_nothing_else(size):
    x = cases.random_input((9, *size, 17)).astype("float32")
    alone, together = (arrays(instance_moments(v, SPATIAL)) for v in (x[1:], x))
    np.testing.assert_allclose(together.mean_minus(0)[1:], alone.mean_minus(0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(together.variance[1:], alone.variance, rtol=2e-6, atol=0)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("height", "found"), [(5, 0), (None, 2)])
def test_graph_looks_up_only_sizes_that_are_unknown(height, found):
    import tensorflow as tf

    function = tf.function(lambda x: moments.instance_moments(x, SPATIAL))
    graph = function.get_concrete_function(tf.TensorSpec((None, height, 3, 2))).graph
    operators = [operation.type for operation in graph.get_operations()]
    assert operators.count("Shape") == found


@pytest.mark.parametrize("border", [False, True], ids=["no border", "border"])
@pytest.mark.parametrize(
    "shape", [(4, 7, 7, 3), (4, 56, 56, 3), (2, 113, 113, 3), (1, 512, 512, 3)], ids=str
)
@pytest.mark.parametrize("deviation", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_float32_moments_are_as_exact_as_the_spread_of_the_input(masked, deviation, shape, border):
    """At mean 1000 float32 has a spacing of 6e-5, and long sums lose hundreds of these."""
    x = (1000 + deviation * np.random.default_rng(0).normal(size=shape)).astype("float32")
    if border:
        x[:, :1] = 0
    instance = instance_moments(x, SPATIAL, np.ones(shape, bool) if masked else None)
    exact = x.astype("float64")
    spread = exact.std(SPATIAL, keepdims=True)
    found = np.asarray(instance.pilot).astype("float64") + np.asarray(instance.shifted_mean)
    error = (found - exact.mean(SPATIAL, keepdims=True)) / spread
    np.testing.assert_allclose(error, 0, rtol=0, atol=2e-6)
    np.testing.assert_allclose(instance.variance, spread**2, rtol=1e-5, atol=0)
    found = np.ravel(batch_moments(instance).variance)
    np.testing.assert_allclose(found, exact.var((0, 1, 2)), rtol=1e-5, atol=0)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_batch_moments_are_those_of_the_pooled_elements(masked):
    x = cases.random_input(SHAPE)
    valid = np.random.default_rng(0).uniform(size=SHAPE) < 0.6 if masked else None
    instance = instance_moments(x, SPATIAL, valid)
    found = arrays(batch_moments(instance))
    pooled = np.where(valid, x, np.nan) if masked else x
    mean = np.nanmean(pooled, (0, 1, 2))
    assert found.mean.shape == found.variance.shape == (1, 1, 1, 2)
    np.testing.assert_allclose(found.mean.ravel(), mean, rtol=0, atol=1e-12)
    variance = np.nanvar(pooled, (0, 1, 2))
    np.testing.assert_allclose(found.variance.ravel(), variance, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        found.mean_difference, np.asarray(instance.mean_minus(mean)), rtol=0, atol=1e-12
    )
    expected = valid.sum((0, 1, 2)) if masked else np.prod(SHAPE[:-1])
    np.testing.assert_array_equal(np.broadcast_to(found.count, (1, 1, 1, 2)).ravel(), expected)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_batch_moments_add_up_over_replicas(masked):
    """Two replicas with the same samples have the moments of one, by one sum of float64."""
    valid = np.random.default_rng(0).uniform(size=SHAPE) < 0.6 if masked else None
    instance = instance_moments(cases.random_input(SHAPE), SPATIAL, valid)
    seen = []

    def sum_of_both(values):
        seen.append(values)
        return 2 * values

    alone, together = (arrays(batch_moments(instance, f)) for f in (None, sum_of_both))
    assert [keras.backend.standardize_dtype(values.dtype) for values in seen] == ["float64"]
    assert seen[0].shape == ((6,) if masked else (5,))
    np.testing.assert_allclose(together.variance, alone.variance, rtol=1e-12, atol=0)
    np.testing.assert_allclose(together.mean_difference, alone.mean_difference, rtol=0, atol=1e-12)
    np.testing.assert_allclose(together.mean, alone.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(together.count, 2 * alone.count, rtol=0, atol=0)


def test_moments_of_replicas_keep_their_digits():
    """The mean is 3e4 standard deviations, so float32 would leave no digit of the variance."""
    x = (cases.random_input(SHAPE) + 3e4).astype("float32")
    halves = [instance_moments(half, SPATIAL) for half in np.split(x, 2)]
    seen = []

    def record(values):
        seen.append(values)
        return values

    for half in halves:
        batch_moments(half, record)
    together = batch_moments(halves[0], lambda _: seen[0] + seen[1])
    exact = x.astype("float64")
    np.testing.assert_allclose(np.ravel(together.variance), exact.var((0, 1, 2)), rtol=1e-5)
    difference = exact[:2].mean((1, 2)) - exact.mean((0, 1, 2))
    np.testing.assert_allclose(together.mean_difference[:, 0, 0], difference, atol=1e-5)


def test_variance_of_constant_samples_is_the_spread_of_their_means():
    x = np.broadcast_to(np.array([1.0, 2.0, 6.0])[:, None, None], (3, 4, 1))
    batch = batch_moments(instance_moments(x, (1,)))
    np.testing.assert_allclose(np.ravel(batch.variance), np.var([1, 2, 6]), rtol=1e-12, atol=0)
