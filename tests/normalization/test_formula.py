"""The formula of BIN apart from the layer: the scales of the branches, and the affine map."""

import numpy as np
import pytest
from keras import ops

from keras_bin.normalization.formula import blend, branch_scales
from keras_bin.normalization.moments import instance_moments
from tests import cases

SHAPE, SPATIAL = (4, 5, 3, 2), (1, 2)


def test_branch_scales_are_plain_numpy():
    gamma, rho, variance = np.array([2.0, 3.0]), np.array([0.25, 1.0]), np.array([4.0, 0.0])
    batch_scale, instance_scale = branch_scales(gamma, rho, variance, 0.25)
    assert type(batch_scale) is type(instance_scale) is np.ndarray
    np.testing.assert_allclose(batch_scale, gamma * rho / np.sqrt([4.25, 0.25]), rtol=1e-14, atol=0)
    np.testing.assert_array_equal(instance_scale, [1.5, 0.0])


@pytest.mark.usefixtures("x64")
def test_blend_is_the_mix_of_both_normalizations():
    x, epsilon = cases.random_input(SHAPE), 0.1
    gamma, beta, rho = (np.array(pair) for pair in ([2.0, -1.0], [0.5, 3.0], [0.3, 0.8]))
    mean, variance = np.array([1.0, -2.0]), np.array([0.5, 4.0])
    instance = instance_moments(ops.convert_to_tensor(x), SPATIAL)
    mean_difference = instance.mean_minus(ops.convert_to_tensor(mean))
    batch_scale, instance_scale = branch_scales(gamma, rho, variance, epsilon)
    found = blend(
        instance,
        mean_difference=mean_difference,
        batch_scale=ops.convert_to_tensor(batch_scale),
        instance_scale=ops.convert_to_tensor(instance_scale),
        beta=ops.convert_to_tensor(beta),
        epsilon=epsilon,
    )
    x_batch = (x - mean) / np.sqrt(variance + epsilon)
    x_instance = x - x.mean(SPATIAL, keepdims=True)
    x_instance = x_instance / np.sqrt(x.var(SPATIAL, keepdims=True) + epsilon)
    expected = (rho * x_batch + (1 - rho) * x_instance) * gamma + beta
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
