"""BatchInstanceNormalization differentiated: once and twice, in every way to run it."""

import numpy as np
import pytest
from keras import ops

from testing import reference
from tests import cases
from tests.gradients import EVERY_WAY, differentiated, sin

SHAPE = (3, 4, 2, 3)
EPSILON = 1e-2
MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])


@pytest.mark.usefixtures("float64")
@MODES
@EVERY_WAY
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("axis", [-1, 1], ids=["channels last", "channels first"])
def test_value_and_gradients_equal_the_formula(axis, masked, way, training):
    weights = reference.random_weights(SHAPE[axis])
    x, dy = cases.random_input(SHAPE, axis), cases.random_input(SHAPE, axis, seed=1)
    mask = None
    if masked:
        mask = np.random.default_rng(0).uniform(size=SHAPE[:-1]) < 0.7
        mask[1] = False
    layer = cases.make_layer(weights, SHAPE, axis, epsilon=EPSILON)
    result = cases.run(layer, x, dy, training, mask, way)
    settings = {"epsilon": EPSILON, "training": training, "mask": mask}
    expected = reference.forward(x, weights, axis, **settings)
    gradients = reference.backward(x, dy, weights, axis, **settings)
    np.testing.assert_allclose(result.y, expected, rtol=0, atol=1e-11)
    cases.assert_gradients_close(result.gradients, gradients, rtol=0, atol=1e-10)
    moving = weights[3:]
    if training:
        moving = reference.moving_statistics(x, weights, axis, mask=mask)
    found = [layer.moving_mean, layer.moving_variance]
    np.testing.assert_allclose(found, moving, rtol=0, atol=1e-12)


@MODES
@pytest.mark.parametrize("end", [0.0, 1.0], ids=["rho=0", "rho=1"])
def test_rho_has_a_gradient_at_its_ends(end, training):
    weights = reference.random_weights(3)._replace(rho=np.full(3, end))
    x, dy = cases.random_input(SHAPE), cases.random_input(SHAPE, seed=1)
    result = cases.run(cases.make_layer(weights, SHAPE), x, dy, training)
    expected = reference.backward(x, dy, weights, training=training).drho
    assert np.abs(expected).min() > 0.1
    np.testing.assert_allclose(result.gradients.drho, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rho", [-0.5, 1.5], ids=["below", "above"])
def test_rho_out_of_range_is_used_as_it_is(rho):
    """The constraint brings it back; the forward pass would cut its gradient."""
    weights = reference.random_weights(3)._replace(rho=np.full(3, rho))
    x, dy = cases.random_input(SHAPE), cases.random_input(SHAPE, seed=1)
    result = cases.run(cases.make_layer(weights, SHAPE), x, dy)
    gradients = reference.backward(x, dy, weights)
    np.testing.assert_allclose(result.y, reference.forward(x, weights), rtol=1e-5, atol=1e-5)
    cases.assert_gradients_close(result.gradients, gradients, rtol=1e-4, atol=1e-4)


def penalty_gradients(layer, x, dy, training, way):
    """Gradients of the penalty by input, gamma, beta and rho, by automatic differentiation."""

    def loss(x):
        return ops.sum(ops.convert_to_tensor(dy) * sin(layer(x, training=training))), ()

    def penalty(x):
        _, (dx,) = differentiated(loss, state=layer.variables)(x)
        return ops.sum(dx**2), ()

    learned = (layer.gamma, layer.beta, layer.rho)
    _, found = differentiated(penalty, learned, layer.non_trainable_variables, way)(x)
    return list(map(ops.convert_to_numpy, found))


@pytest.mark.usefixtures("float64")
@MODES
@EVERY_WAY
def test_gradient_penalty_equals_finite_differences(way, training):
    weights = reference.random_weights(SHAPE[-1])
    x, dy = cases.input_with_constant_sample(SHAPE), cases.random_input(SHAPE, seed=1)
    layer = cases.make_layer(weights, SHAPE, epsilon=EPSILON)
    found = penalty_gradients(layer, x, dy, training, way)

    def penalty(x, weights):
        return reference.gradient_penalty(x, dy, weights, EPSILON, training)

    expected = [cases.finite_difference(lambda v: penalty(v, weights), x)]
    for name in ("gamma", "beta", "rho"):

        def of_weight(value, name=name):
            return penalty(x, weights._replace(**{name: value}))

        expected.append(cases.finite_difference(of_weight, getattr(weights, name)))
    cases.assert_gradients_close(found, expected, rtol=1e-6, atol=1e-6)
