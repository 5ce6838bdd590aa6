"""BatchInstanceNormalization: what it computes, on any shape, and what it refuses."""

import functools

import keras
import numpy as np
import pytest

import keras_bin
from testing import reference
from tests import cases

LAYOUTS = pytest.mark.parametrize("axis", [-1, 1], ids=["channels last", "channels first"])
# Rank 3, 4, 5 with every channel axis, counted from either end.
SHAPES_AND_AXES = [
    ((3, 6, 4), -1),
    ((3, 6, 4), 1),
    ((3, 5, 4, 2), 3),
    ((3, 5, 4, 2), -2),
    ((3, 5, 4, 2), -3),
    ((3, 2, 3, 4, 5), -1),
    ((3, 2, 3, 4, 5), 2),
    ((3, 2, 3, 4, 5), -2),
    ((3, 2, 3, 4, 5), 1),
]


def in_layout(array, axis):
    """Moves the channels of a golden tensor, axis 1 there, to `axis`."""
    return np.moveaxis(array, 1, axis)


def golden_layer(name, axis):
    shape = in_layout(cases.GOLDEN[f"{name}/x"], axis).shape
    settings = cases.golden_settings(name)
    return cases.make_layer(cases.golden_weights(name), shape, axis, **settings)


@functools.cache
def golden_run(name, axis, training=True):
    layer = golden_layer(name, axis)
    x, dy = (in_layout(cases.GOLDEN[f"{name}/{key}"], axis) for key in ("x", "dy"))
    return layer, cases.run(layer, x, dy, training)


@pytest.mark.usefixtures("float64")
@LAYOUTS
@pytest.mark.parametrize("name", cases.GOLDEN_NAMES)
class TestGolden:
    """The tensors of the official code, to 1e-9 in float64."""

    @pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
    def test_output(self, name, axis, training):
        _, result = golden_run(name, axis, training)
        expected = cases.GOLDEN[f"{name}/y_{'train' if training else 'eval'}"]
        np.testing.assert_allclose(result.y, in_layout(expected, axis), rtol=0, atol=1e-9)

    @pytest.mark.parametrize("gradient", reference.Gradients._fields)
    def test_gradient(self, name, axis, gradient):
        _, result = golden_run(name, axis)
        found, expected = getattr(result.gradients, gradient), cases.GOLDEN[f"{name}/{gradient}"]
        if gradient == "dx":
            expected = in_layout(expected, axis)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)

    def test_moving_statistics(self, name, axis):
        layer, _ = golden_run(name, axis)
        found = [cases.numpy(layer.moving_mean), cases.numpy(layer.moving_variance)]
        np.testing.assert_allclose(found, cases.golden_moving(name), rtol=0, atol=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
def test_every_rank_and_axis_equals_the_formula(shape, axis, training):
    weights = reference.random_weights(shape[axis])
    x, dy = cases.random_input(shape, axis), cases.random_input(shape, axis, seed=1)
    result = cases.run(cases.make_layer(weights, shape, axis), x, dy, training)
    expected = reference.forward(x, weights, axis, training=training)
    gradients = reference.backward(x, dy, weights, axis, training=training)
    np.testing.assert_allclose(result.y, expected, rtol=0, atol=1e-11)
    cases.assert_gradients_close(result.gradients, gradients, rtol=0, atol=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("seed", range(8))
def test_random_shapes_and_settings_equal_the_formula(seed):
    rng = np.random.default_rng(seed)
    rank = rng.integers(3, 6)
    shape = tuple(int(size) for size in rng.integers(1, 6, rank))
    axis = int(rng.integers(1, rank))
    epsilon, momentum = 10 ** rng.uniform(-5, -1), rng.uniform()
    weights = reference.random_weights(shape[axis], seed)
    x, dy = cases.random_input(shape, axis, seed), cases.random_input(shape, axis, seed + 100)
    layer = cases.make_layer(weights, shape, axis, epsilon=epsilon, momentum=momentum)
    result = cases.run(layer, x, dy)
    expected = reference.forward(x, weights, axis, epsilon)
    gradients = reference.backward(x, dy, weights, axis, epsilon)
    moving = reference.moving_statistics(x, weights, axis, momentum)
    np.testing.assert_allclose(result.y, expected, rtol=0, atol=1e-10)
    # A single element has variance 0: its slope is up to 1 / sqrt(1e-5), which adds digits.
    cases.assert_gradients_close(result.gradients, gradients, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        [layer.moving_mean, layer.moving_variance], moving, rtol=0, atol=1e-11
    )


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axis", [-1, 2], ids=["last", "middle"])
def test_unknown_batch_and_spatial_sizes(axis):
    shape = [None, None, None, None]
    shape[axis] = 3
    inputs = keras.Input(shape[1:])
    outputs = keras_bin.BatchInstanceNormalization(axis=axis, name="bin")(inputs)
    assert outputs.shape == inputs.shape
    model = keras.Model(inputs, outputs)
    weights = reference.random_weights(3)
    model.get_layer("bin").set_weights(list(weights))
    sizes = [2, 5, 4, 7]
    sizes[axis] = 3
    x = cases.random_input(sizes, axis)
    expected = reference.forward(x, weights, axis, training=False)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [(), (3,), (None, 3)], ids=["rank 0", "rank 1", "rank 2"])
def test_input_without_spatial_axis_is_refused(size):
    with pytest.raises(ValueError, match="at least one spatial axis") as error:
        keras_bin.BatchInstanceNormalization().build(size)
    assert f"input_shape={size}" in str(error.value)


def test_dense_output_is_refused_when_called():
    with pytest.raises(ValueError, match=r"spatial axis.*input_shape=\(2, 3\)"):
        keras_bin.BatchInstanceNormalization()(np.ones((2, 3), "float32"))


@pytest.mark.parametrize("axis", [0, -4, 4, -5, 7])
def test_axis_that_is_no_channel_axis_is_refused(axis):
    with pytest.raises(ValueError, match=rf"from 1 to 3 or from -3 to -1.*axis={axis},"):
        keras_bin.BatchInstanceNormalization(axis=axis).build((2, 5, 5, 3))


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match=r"channels must be known.*\(None, 8, None\), axis=-1"):
        keras_bin.BatchInstanceNormalization()(keras.Input((8, None)))


@pytest.mark.parametrize("axis", [[3], (1, 2), None, 1.0], ids=str)
def test_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(ValueError, match="must be the integer index") as error:
        keras_bin.BatchInstanceNormalization(axis=axis)
    assert str(error.value).endswith(f"Received: axis={axis!r}")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), None])
def test_momentum_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=f"between 0 and 1.*momentum={value}"):
        keras_bin.BatchInstanceNormalization(momentum=value)


@pytest.mark.parametrize("value", [0.0, -1e-3, float("nan"), float("inf"), None])
def test_epsilon_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=f"finite number above 0.*epsilon={value}"):
        keras_bin.BatchInstanceNormalization(epsilon=value)


@pytest.mark.parametrize("shape", [(2, 7, 7, 3), (2, 5, 3), (2, 5, 5, 4)], ids=str)
def test_built_layer_refuses_another_rank_or_channels(shape):
    layer = cases.make_layer(reference.random_weights(4), (None, None, 4))
    accepted = np.ones((2, 9, 4), "float32")
    assert layer(accepted).shape == accepted.shape
    with pytest.raises(ValueError, match="incompatible with the layer"):
        layer(np.ones(shape, "float32"))


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_single_spatial_element_has_no_instance_branch(training):
    weights = reference.random_weights(3)._replace(rho=np.zeros(3))
    x = cases.random_input((4, 1, 1, 3))
    layer = cases.make_layer(weights, x.shape)
    result = cases.run(layer, x, np.ones_like(x), training)
    np.testing.assert_array_equal(result.y, np.broadcast_to(np.float32(weights.beta), x.shape))
    assert all(np.isfinite(gradient).all() for gradient in result.gradients)
    np.testing.assert_array_equal(result.gradients.dx, 0)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_constant_input_gives_finite_outputs_and_gradients(training):
    weights = reference.random_weights(3)
    x = np.broadcast_to(np.array([0.0, -5.0, 1e4]), (2, 4, 4, 3))
    result = cases.run(cases.make_layer(weights, x.shape), x, np.ones(x.shape), training)
    assert np.isfinite(result.y).all()
    assert all(np.isfinite(gradient).all() for gradient in result.gradients)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("trainable", "training"),
    [(True, False), (True, None), (False, True), (False, None)],
    ids=["training=False", "default", "frozen in training", "frozen"],
)
def test_moving_statistics_are_used_and_stay(trainable, training):
    weights, shape = reference.random_weights(4), (3, 5, 5, 4)
    layer, x = cases.make_layer(weights, shape), cases.random_input(shape)
    layer.trainable = trainable
    y = layer(x, training=training)
    expected = reference.forward(x, weights, training=False)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(layer.moving_mean, weights.moving_mean)
    np.testing.assert_array_equal(layer.moving_variance, weights.moving_variance)


def test_inference_of_a_sample_ignores_its_neighbours():
    weights, x = reference.random_weights(4), cases.random_input((6, 5, 5, 4)).astype("float32")
    layer = cases.make_layer(weights, x.shape)
    together = cases.numpy(layer(x, training=False))
    others = np.concatenate([x[:1], 100 * x[1:4]])
    np.testing.assert_allclose(cases.numpy(layer(x[:1])), together[:1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(cases.numpy(layer(others))[:1], together[:1], rtol=0, atol=1e-6)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("center", [True, False], ids=["center", "no center"])
@pytest.mark.parametrize("scale", [True, False], ids=["scale", "no scale"])
def test_gamma_and_beta_are_optional(center, scale):
    weights, x = reference.random_weights(4), cases.random_input((3, 5, 5, 4))
    present = [("gamma", scale), ("beta", center), ("rho", True)]
    present += [("moving_mean", True), ("moving_variance", True)]
    names = [name for name, there in present if there]
    layer = keras_bin.BatchInstanceNormalization(center=center, scale=scale, dtype="float64")
    layer.build(x.shape)
    assert [weight.name for weight in layer.weights] == names
    layer.set_weights([getattr(weights, name) for name in names])
    absent = {"gamma": np.ones(4), "beta": np.zeros(4)}
    filled = weights._replace(**{n: v for n, v in absent.items() if n not in names})
    expected = reference.forward(x, filled)
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=0, atol=1e-11)
