"""rho at the ends of [0, 1], where Keras's clip has another gradient on each backend.

`keras.ops.clip` has the gradient 1/2 at the ends on JAX, and 1 on TensorFlow and PyTorch. rho
starts at an end, so neither its gradient nor its step may come from a clip.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_bin
from testing import reference
from tests import cases
from tests.gradients import EVERY_WAY, differentiated

SHAPE, SCALE, RATE = (3, 4, 2, 3), 10.0, 1e-3
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(RATE),
    "clipped SGD": lambda: keras.optimizers.SGD(RATE, clipvalue=1e3),
    "Adam": lambda: keras.optimizers.Adam(RATE),
}
ENDS = pytest.mark.parametrize("end", [0.0, 1.0], ids=["rho=0", "rho=1"])


@EVERY_WAY
@ENDS
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.usefixtures("float64")
def test_gradient_of_the_layer_is_whole(training, end, way):
    weights = reference.random_weights(SHAPE[-1])._replace(rho=np.full(SHAPE[-1], end))
    x, dy = cases.random_input(SHAPE), cases.random_input(SHAPE, seed=1)
    result = cases.run(cases.make_layer(weights, SHAPE), x, dy, training, way=way)
    expected = reference.backward(x, dy, weights, training=training).drho
    assert np.abs(expected).min() > 0.1
    np.testing.assert_allclose(result.gradients.drho, expected, rtol=1e-9, atol=1e-9)


def net_whose_loss_is_linear_in_rho(end, direction):
    """Returns a BINModel at `end`, and data whose loss changes by `direction * rho`, plus a rest.

    With `u` the difference of the two branches, `y = x_instance + rho * u`, and the targets are
    such that `sum(targets * u)` is the gradient.
    """
    weights = reference.random_weights(SHAPE[-1])._replace(
        gamma=np.ones(SHAPE[-1]), beta=np.zeros(SHAPE[-1]), rho=np.full(SHAPE[-1], end)
    )
    x = cases.random_input(SHAPE).astype("float32")
    branches = [reference.forward(x, weights._replace(rho=np.full(3, rho))) for rho in (0.0, 1.0)]
    targets = direction * (branches[1] - branches[0])
    inputs = keras.Input(SHAPE[1:])
    layer = keras_bin.BatchInstanceNormalization(center=False, scale=False, name="bin")
    model = keras_bin.BINModel(inputs, layer(inputs), rho_gradient_scale=SCALE)
    layer.rho.assign(weights.rho)
    gradient = reference.backward(x, targets, weights).drho / targets.size
    return model, (x, targets.astype("float32")), gradient


def product(targets, outputs):
    """A loss whose gradient by the outputs is the targets."""
    return ops.mean(targets * outputs, axis=(1, 2, 3))


@ENDS
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_first_step_inward_is_as_long_as_elsewhere(name, end):
    model, data, gradient = net_whose_loss_is_linear_in_rho(end, direction=2 * end - 1)
    model.compile(OPTIMIZERS[name](), product)
    model.train_on_batch(*data)
    # Down from 1, up from 0; Adam's first step is its learning rate, whatever the gradient.
    step = RATE * np.sign(gradient) if name == "Adam" else RATE * gradient
    found = cases.numpy(model.get_layer("bin").rho) - end
    assert (np.sign(found) == 1 - 2 * end).all()
    # rho near 1 resolves steps to 6e-8.
    np.testing.assert_allclose(found, -SCALE * step, rtol=1e-4, atol=1e-7)


@ENDS
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_step_outward_stays_at_the_end(name, end):
    model, data, _ = net_whose_loss_is_linear_in_rho(end, direction=1 - 2 * end)
    model.compile(OPTIMIZERS[name](), product)
    for _ in range(2):
        model.train_on_batch(*data)
    np.testing.assert_array_equal(cases.numpy(model.get_layer("bin").rho), end)


def test_gradient_of_a_clip_differs_among_backends():
    """If it is 1 on JAX, too, the comment on rho in `keras_bin.layer` can go."""
    _, (gradient,) = differentiated(lambda x: (ops.sum(ops.clip(x, 0.0, 1.0)), ()))(
        np.array([0.0, 0.5, 1.0], "float32")
    )
    at_ends = 0.5 if keras.backend.backend() == "jax" else 1.0
    np.testing.assert_array_equal(ops.convert_to_numpy(gradient), [at_ends, 1.0, at_ends])
