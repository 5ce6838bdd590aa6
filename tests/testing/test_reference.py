"""The oracle itself: against the official code's tensors, and against finite differences."""

import numpy as np
import pytest

from testing import reference
from tests import cases

X_SHAPE, AXIS = (3, 4, 2, 5), 2
GRADIENT_NAMES = reference.Gradients._fields


@pytest.mark.parametrize("name", cases.GOLDEN_NAMES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_forward_is_that_of_the_official_code(name, training):
    weights, epsilon = cases.golden_weights(name), cases.golden_settings(name)["epsilon"]
    y = reference.forward(cases.GOLDEN[f"{name}/x"], weights, 1, epsilon, training)
    expected = cases.GOLDEN[f"{name}/y_{'train' if training else 'eval'}"]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", cases.GOLDEN_NAMES)
@pytest.mark.parametrize("gradient", GRADIENT_NAMES)
def test_backward_is_that_of_the_official_code(name, gradient):
    x, dy = cases.GOLDEN[f"{name}/x"], cases.GOLDEN[f"{name}/dy"]
    epsilon = cases.golden_settings(name)["epsilon"]
    found = reference.backward(x, dy, cases.golden_weights(name), 1, epsilon)
    expected = cases.GOLDEN[f"{name}/{gradient}"]
    # case07 has mean 300, which costs float64 three of its digits.
    np.testing.assert_allclose(getattr(found, gradient), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", cases.GOLDEN_NAMES)
def test_moving_mean_is_that_of_the_official_code(name):
    momentum = cases.golden_settings(name)["momentum"]
    weights = cases.golden_weights(name)
    mean, variance = reference.moving_statistics(cases.GOLDEN[f"{name}/x"], weights, 1, momentum)
    np.testing.assert_allclose(mean, cases.GOLDEN[f"{name}/running_mean1"], rtol=0, atol=1e-12)
    # The official code keeps the unbiased variance, so take its bias out.
    n = cases.GOLDEN[f"{name}/x"].size / len(variance)
    old = momentum * weights.moving_variance
    unbiased = old + (variance - old) * n / (n - 1)
    np.testing.assert_allclose(unbiased, cases.GOLDEN[f"{name}/running_var1"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("gradient", GRADIENT_NAMES)
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_backward_equals_finite_differences(training, masked, gradient):
    x, dy = cases.random_input(X_SHAPE, AXIS, 1), cases.random_input(X_SHAPE, AXIS, 2)
    weights = reference.random_weights(X_SHAPE[AXIS])
    mask = np.random.default_rng(3).uniform(size=X_SHAPE[:-1]) < 0.7 if masked else None
    settings = {"axis": AXIS, "epsilon": 0.1, "training": training, "mask": mask}

    def loss(value):
        if gradient == "dx":
            return (dy * reference.forward(value, weights, **settings)).sum()
        changed = weights._replace(**{gradient[1:]: value})
        return (dy * reference.forward(x, changed, **settings)).sum()

    found = getattr(reference.backward(x, dy, weights, **settings), gradient)
    at = x if gradient == "dx" else getattr(weights, gradient[1:])
    np.testing.assert_allclose(found, cases.finite_difference(loss, at), rtol=0, atol=1e-7)
