"""The constants of a folded layer: formulas in float64, clipping, and what is refused."""

import numpy as np
import pytest

from keras_bin.export.folding.constants import bin_constants

EPSILON = 1e-3


def weights(channels=7, **replaced):
    """float32 weights away from where they start, rho between 0 and 1."""
    rng = np.random.default_rng(1)
    drawn = {
        "gamma": rng.normal(1, 0.5, channels),
        "beta": rng.normal(0, 2, channels),
        "rho": rng.uniform(0.1, 0.9, channels),
        "moving_mean": rng.normal(3, 5, channels),
        "moving_variance": rng.uniform(0, 4, channels),
    }
    drawn |= {name: np.broadcast_to(value, channels) for name, value in replaced.items()}
    return {name: value.astype("float32") for name, value in drawn.items()}


def constants(epsilon=EPSILON, **replaced):
    return bin_constants(**weights(**replaced), epsilon=epsilon)


def applied(c, x, epsilon):
    """The layer written out as the constants are meant to be used; x has shape (N, S, C)."""
    mean = x.mean(1, keepdims=True)
    variance = ((x - mean) ** 2).mean(1, keepdims=True)
    if c.instance_scale is None:
        return x * c.scale + c.offset
    scale = 0 if c.scale is None else c.scale
    slope = scale + c.instance_scale / np.sqrt(variance + epsilon)
    return (x - mean) * slope + scale * (mean - c.mean) + c.offset


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3, 0.7])
@pytest.mark.parametrize(
    "rho", [0.0, 1.0, 0.3, (0, 1, 0.5, 0, 1, 0.01, 0.99)], ids=["zero", "one", "between", "all"]
)
def test_constants_reproduce_the_two_normalizations(rho, epsilon):
    w = {name: value.astype("float64") for name, value in weights(rho=rho).items()}
    x = np.random.default_rng(2).normal(1.5, 2, (3, 11, 7))
    batch = (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + epsilon)
    instance = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + epsilon)
    expected = (w["rho"] * batch + (1 - w["rho"]) * instance) * w["gamma"] + w["beta"]
    got = applied(constants(epsilon, rho=rho), x, epsilon)
    # Both sides are float64 with about ten operations; a variance near zero divides by 3e-3.
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("rho", [0.0, 0.4, 1.0])
def test_constants_are_float64_to_the_last_digits(rho):
    """float32 weights are widened before anything is computed with them."""
    w = {name: value.astype("float64") for name, value in weights(rho=rho).items()}
    scale = w["gamma"] * w["rho"] / np.sqrt(w["moving_variance"] + EPSILON)
    got = constants(rho=rho)
    assert {value.dtype for value in got if value is not None} == {np.dtype("float64")}
    # Two float64 roundings apart at most; float32 arithmetic would be 1e-8 off.
    np.testing.assert_allclose(0 if rho == 0 else got.scale, scale, rtol=1e-15, atol=0)
    offset = w["beta"] - scale * w["moving_mean"] if rho == 1 else w["beta"]
    np.testing.assert_allclose(got.offset, offset, rtol=1e-14, atol=1e-14)


def test_rho_all_one_needs_no_statistics():
    got = constants(rho=1.0)
    assert got.affine
    assert got.instance_scale is None
    assert got.mean is None


@pytest.mark.parametrize("channel", [0, 6], ids=["first", "last"])
def test_one_rho_below_one_needs_statistics(channel):
    rho = np.ones(7)
    rho[channel] = np.nextafter(np.float32(1), np.float32(0))
    got = constants(rho=rho)
    assert np.flatnonzero(got.instance_scale).tolist() == [channel]


@pytest.mark.parametrize("channel", [0, 6], ids=["first", "last"])
def test_one_rho_above_zero_needs_the_batch_branch(channel):
    rho = np.zeros(7)
    rho[channel] = np.finfo("float32").tiny
    got = constants(rho=rho)
    assert np.flatnonzero(got.scale).tolist() == [channel]


def test_rho_zero_has_no_batch_branch():
    got = constants(rho=0.0)
    assert got.scale is None
    assert not got.affine
    np.testing.assert_array_equal(got.instance_scale, weights()["gamma"])
    np.testing.assert_array_equal(got.offset, weights()["beta"])


@pytest.mark.parametrize(
    ("outside", "clipped"), [(1.5, 1.0), (-0.5, 0.0), (1 + 1e-6, 1.0)], ids=str
)
def test_rho_is_clipped(outside, clipped):
    for got, expected in zip(constants(rho=outside), constants(rho=clipped), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("variance", [0.0, 1e-30, 3e38], ids=str)
def test_extreme_variances_give_finite_constants(variance):
    got = constants(moving_variance=variance)
    np.testing.assert_allclose(
        got.scale,
        weights()["gamma"] * weights()["rho"] / np.sqrt(np.float64(variance) + EPSILON),
        rtol=1e-6,  # the product of the two float32 weights is rounded to float32 here
        atol=0,
    )
    assert np.isfinite(got.scale).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("name", ["gamma", "beta", "rho", "moving_mean", "moving_variance"])
def test_weights_that_are_not_finite_are_refused(name, value):
    broken = weights()[name]
    broken[3] = value
    with pytest.raises(ValueError, match=rf"`{name}` must be finite.*{name}=\[.*{value}"):
        constants(**{name: broken})


def test_negative_variance_is_refused():
    variance = weights()["moving_variance"]
    variance[2] = -1e-6
    with pytest.raises(ValueError, match=r"(?s)must not be negative.*moving_variance=\[.*-1\.0"):
        constants(moving_variance=variance)


def test_arguments_are_left_alone():
    given = weights(rho=2.0)
    before = {name: value.copy() for name, value in given.items()}
    bin_constants(**given, epsilon=EPSILON)
    for name, value in before.items():
        np.testing.assert_array_equal(given[name], value)


def test_gamma_zero_leaves_an_affine_map_whatever_the_gate():
    got = constants(gamma=0.0, rho=0.3)
    assert got.affine
    np.testing.assert_array_equal(got.scale, 0)
    np.testing.assert_array_equal(got.offset, weights()["beta"].astype("float64"))


@pytest.mark.parametrize(
    "rho", [0.0, 1.0, 0.3, (0, 1, 0.5, 0, 1, 0.01, 0.99)], ids=["zero", "one", "between", "all"]
)
def test_affine_map_and_rest_make_the_layer(rho):
    whole = constants(rho=rho)
    x = np.random.default_rng(2).normal(1.5, 2, (3, 11, 7))
    scale, offset, left = whole.split()
    read = x * scale + offset
    if whole.affine:
        np.testing.assert_allclose(read, applied(whole, x, EPSILON), rtol=1e-12, atol=1e-12)
    else:
        assert left.mean is None
        filled = left._replace(mean=0.0, scale=0.0 if left.scale is None else left.scale)
        expected = applied(
            whole._replace(scale=filled.scale if rho == 0.0 else whole.scale), x, EPSILON
        )
        np.testing.assert_allclose(applied(filled, read, EPSILON), expected, rtol=1e-11, atol=1e-11)


def test_channels_whose_gate_is_one_are_absorbed_whole():
    _, _, left = constants(rho=(0, 1, 0.5, 0, 1, 0.01, 0.99)).split()
    for index in (1, 4):
        assert (left.scale[index], left.offset[index], left.instance_scale[index]) == (1, 0, 0)
