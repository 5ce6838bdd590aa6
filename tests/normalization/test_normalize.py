"""The hand-written gradient apart from the layer."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import keras_bin
from keras_bin.normalization.axes import input_axes
from keras_bin.normalization.normalize import normalize
from testing import reference
from tests import cases
from tests.gradients import BACKEND, EVERY_WAY, WAYS, differentiated, sin

SHAPE, EPSILON = (3, 4, 2, 3), 0.01


def map_arrays(structure):
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


@EVERY_WAY
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("size", [(7, 7), (8, 8), (6, 10), (224, 224)], ids=str)
def test_constant_images_have_no_instance_branch_and_no_gradient(size, masked, way):
    """Any rounding of their means would be divided by sqrt(epsilon), and cubed in dx."""
    values = np.random.default_rng(0).uniform(100, 2000, (4, 1, 1, 16))
    x = np.broadcast_to(values, (4, *size, 16)).astype("float32")
    mask = np.ones(x.shape[:-1], bool) if masked else None
    layer = keras_bin.BatchInstanceNormalization(rho_initializer="zeros", epsilon=1e-5)
    layer.build(x.shape)
    result = cases.run(layer, x, np.ones_like(x), way=way, mask=mask)
    np.testing.assert_allclose(result.y, 0, rtol=0, atol=1e-6)
    np.testing.assert_allclose(result.gradients.dx, 0, rtol=0, atol=1e-4)
    assert all(np.isfinite(gradient).all() for gradient in result.gradients)
    assert np.all(cases.numpy(layer.moving_variance) >= 0)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("dtype", "rtol", "way"),
    [("float32", 1e-5, way) for way in WAYS[BACKEND]]
    # Graphs take long to trace, and XLA's are also optimized.
    + [("float64", 1e-10, way) for way in WAYS[BACKEND] if way != "tf.function"],
)
def test_gradient_near_gamma_0_is_differentiated_by_gamma(dtype, rtol, way):
    """A layer whose gamma starts at 0 has no gradient by x, but one that moves with gamma."""
    weights = reference.random_weights(SHAPE[-1])
    x, dy = cases.random_input(SHAPE), cases.random_input(SHAPE, seed=1)
    axes = input_axes(SHAPE, -1)

    def constant(value):
        return ops.convert_to_tensor(value, dtype)

    def compute(gamma, upstream):
        def loss(x):
            learned = (gamma, constant(weights.beta), constant(weights.rho))
            y, *_ = normalize(x, learned, axes, EPSILON)
            return ops.sum(y * constant(dy)), ()

        _, (dx,) = differentiated(loss)(constant(x))
        return upstream * ops.sum(dx * constant(np.sin(x))), dx

    compute = differentiated(compute, way=way)  # traced once for all gammas
    one = weights._replace(gamma=np.ones(SHAPE[-1]))
    by_gamma = reference.backward(x, dy, one, epsilon=EPSILON, training=True, mask=None).dx
    expected = (by_gamma * np.sin(x)).sum((0, 1, 2))
    for gamma, upstream in itertools.product((0.0, 1e-30, -1e-30, 1e-19, 1e-12, -1e-12), (1, 1e-8)):
        gammas = constant(np.full(SHAPE[-1], gamma))
        dx, (found, _) = map_arrays(compute(gammas, constant(upstream)))
        case = f"gamma={gamma}, upstream={upstream}"
        np.testing.assert_allclose(dx, gamma * by_gamma, rtol=0, atol=1e-16, err_msg=case)
        found = found / upstream
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=case)


@pytest.mark.usefixtures("float64")
@EVERY_WAY
def test_given_statistics_have_gradients(way):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE)

    def compute(mean, variance):
        learned = tuple(map(ops.convert_to_tensor, weights[:3]))
        given, axes = ops.convert_to_tensor(x), input_axes(SHAPE, -1)
        y, _, _ = normalize(given, learned, axes, EPSILON, moving=(mean, variance))
        return ops.sum(sin(y)), ()

    _, found = map_arrays(differentiated(compute, way=way)(*weights[3:]))
    for name, gradient in zip(("moving_mean", "moving_variance"), found, strict=True):

        def loss(value, name=name):
            moved = weights._replace(**{name: value})
            y = reference.forward(x, moved, epsilon=EPSILON, training=False)
            return np.sin(y).sum()

        expected = cases.finite_difference(loss, getattr(weights, name))
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("float64")
@EVERY_WAY
@pytest.mark.parametrize("gamma", [None, 0.0], ids=["random gamma", "gamma 0"])
def test_statistics_of_the_batch_have_gradients(gamma, way):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE)
    if gamma is not None:
        weights = weights._replace(gamma=np.full(SHAPE[-1], gamma))
    by_mean, by_variance = np.random.default_rng(0).normal(size=(2, SHAPE[-1]))

    def compute(x):
        learned = tuple(map(ops.convert_to_tensor, weights[:3]))
        constants = tuple(map(ops.convert_to_tensor, (by_mean, by_variance)))
        _, mean, variance, _ = normalize(x, learned, input_axes(SHAPE, -1), EPSILON)
        return ops.sum(constants[0] * mean + constants[1] * variance), ()

    _, (found,) = map_arrays(differentiated(compute, way=way)(x))
    expected = by_mean + 2 * (x - x.mean((0, 1, 2))) * by_variance
    expected = expected / np.prod(SHAPE[:-1])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@EVERY_WAY
@pytest.mark.parametrize("shape", [(2, 0, 4, 3), (2, 0, 3), (0, 4, 4, 3)], ids=str)
def test_empty_inputs_give_empty_outputs(shape, way):
    layer = keras_bin.BatchInstanceNormalization()
    layer.build(shape)
    result = cases.run(layer, np.zeros(shape), np.zeros(shape), way=way)
    assert result.y.shape == result.gradients.dx.shape == shape
