"""The hand-written gradient apart from the layer, and how TensorFlow traces it."""

import gc
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from keras_bin.normalization.axes import input_axes
from keras_bin.normalization.normalize import _functions, normalize
from testing import reference
from tests import cases

SHAPE, EPSILON = (3, 4, 2, 3), 0.01
WAYS = pytest.mark.parametrize(
    "function",
    [None, tf.function, lambda f: tf.function(f, jit_compile=True)],
    ids=["eager", "tf.function", "xla"],
)


@WAYS
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("size", [(7, 7), (8, 8), (6, 10), (224, 224)], ids=str)
def test_constant_images_have_no_instance_branch_and_no_gradient(size, masked, function):
    """Any rounding of their means would be divided by sqrt(epsilon), and cubed in dx."""
    values = np.random.default_rng(0).uniform(100, 2000, (4, 1, 1, 16))
    x = np.broadcast_to(values, (4, *size, 16)).astype("float32")
    mask = np.ones(x.shape[:-1], bool) if masked else None
    layer = keras_bin.BatchInstanceNormalization(rho_initializer="zeros", epsilon=1e-5)
    layer.build(x.shape)
    result = cases.run(layer, x, np.ones_like(x), function=function, mask=mask)
    np.testing.assert_allclose(result.y, 0, rtol=0, atol=1e-6)
    np.testing.assert_allclose(result.gradients.dx, 0, rtol=0, atol=1e-4)
    assert all(np.isfinite(gradient).all() for gradient in result.gradients)
    assert np.all(layer.moving_variance.numpy() >= 0)


@WAYS
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-10)])
def test_gradient_near_gamma_0_is_differentiated_by_gamma(dtype, rtol, function):
    """A layer whose gamma starts at 0 has no gradient by x, but one that moves with gamma."""
    weights = reference.random_weights(SHAPE[-1])
    x, dy = cases.random_input(SHAPE), cases.random_input(SHAPE, seed=1)
    axes = input_axes(SHAPE, -1)

    def constant(value):
        return tf.constant(value, dtype)

    def compute(x, dy, gamma, upstream):
        with tf.GradientTape() as outer:
            outer.watch(gamma)
            with tf.GradientTape() as tape:
                tape.watch(x)
                learned = (gamma, constant(weights.beta), constant(weights.rho))
                y, *_ = normalize(x, learned, axes, EPSILON)
            dx = tape.gradient(y, x, output_gradients=dy)
            loss = upstream * tf.reduce_sum(dx * tf.sin(x))
        return dx, outer.gradient(loss, gamma)

    # Traced once for all gammas.
    compute = compute if function is None else function(compute)
    one = weights._replace(gamma=np.ones(SHAPE[-1]))
    by_gamma = reference.backward(x, dy, one, epsilon=EPSILON, training=True, mask=None).dx
    expected = (by_gamma * np.sin(x)).sum((0, 1, 2))
    for gamma, upstream in itertools.product((0.0, 1e-30, -1e-30, 1e-19, 1e-12, -1e-12), (1, 1e-8)):
        gammas = constant(np.full(SHAPE[-1], gamma))
        dx, found = compute(constant(x), constant(dy), gammas, constant(upstream))
        case = f"gamma={gamma}, upstream={upstream}"
        np.testing.assert_allclose(dx, gamma * by_gamma, rtol=0, atol=1e-16, err_msg=case)
        found = np.asarray(found) / upstream
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=case)


@pytest.mark.usefixtures("float64")
@WAYS
def test_given_statistics_have_gradients(function):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE)

    def compute(x, mean, variance):
        with tf.GradientTape() as tape:
            tape.watch([mean, variance])
            learned = tuple(map(tf.constant, weights[:3]))
            axes = input_axes(SHAPE, -1)
            y, _, _ = normalize(x, learned, axes, EPSILON, moving=(mean, variance))
            loss = tf.reduce_sum(tf.sin(y))
        return tape.gradient(loss, [mean, variance])

    compute = compute if function is None else function(compute)
    found = compute(tf.constant(x), *map(tf.constant, weights[3:]))
    for name, gradient in zip(("moving_mean", "moving_variance"), found, strict=True):

        def loss(value, name=name):
            moved = weights._replace(**{name: value})
            y = reference.forward(x, moved, epsilon=EPSILON, training=False)
            return np.sin(y).sum()

        expected = cases.finite_difference(loss, getattr(weights, name))
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("float64")
@WAYS
@pytest.mark.parametrize("gamma", [None, 0.0], ids=["random gamma", "gamma 0"])
def test_statistics_of_the_batch_have_gradients(gamma, function):
    weights, x = reference.random_weights(SHAPE[-1]), cases.random_input(SHAPE)
    if gamma is not None:
        weights = weights._replace(gamma=np.full(SHAPE[-1], gamma))
    by_mean, by_variance = np.random.default_rng(0).normal(size=(2, SHAPE[-1]))

    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            learned = tuple(map(tf.constant, weights[:3]))
            _, mean, variance, _ = normalize(x, learned, input_axes(SHAPE, -1), EPSILON)
            loss = tf.reduce_sum(by_mean * mean + by_variance * variance)
        return tape.gradient(loss, x)

    compute = compute if function is None else function(compute)
    expected = by_mean + 2 * (x - x.mean((0, 1, 2))) * by_variance
    expected = expected / np.prod(SHAPE[:-1])
    np.testing.assert_allclose(compute(tf.constant(x)), expected, rtol=0, atol=1e-12)


@WAYS
@pytest.mark.parametrize("shape", [(2, 0, 4, 3), (2, 0, 3), (0, 4, 4, 3)], ids=str)
def test_empty_inputs_give_empty_outputs(shape, function):
    layer = keras_bin.BatchInstanceNormalization()
    layer.build(shape)
    result = cases.run(layer, np.zeros(shape), np.zeros(shape), function=function)
    assert result.y.shape == result.gradients.dx.shape == shape


def test_layers_of_equal_shapes_are_traced_once():
    shape = (4, 5, 6, 7)
    layers = [keras_bin.BatchInstanceNormalization(epsilon=0.02) for _ in range(3)]
    for layer in layers:
        layer.build(shape)

    @tf.function
    def apply(x):
        for layer in layers:
            x = layer(x, training=True)
        return x

    apply(tf.constant(cases.random_input(shape).astype("float32")))
    shared = _functions[input_axes(shape, -1), 0.02, shape, True]
    assert shared.experimental_get_tracing_count() == 1


def graphs_of_functions():
    """Returns how many graphs of functions TensorFlow holds."""
    gc.collect()  # frees functions
    gc.collect()  # frees what only they held
    return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())


def test_traces_are_freed_with_the_functions_that_use_them():
    def use(size):
        layer = keras_bin.BatchInstanceNormalization()
        x = tf.ones((2, size, size, 3))
        layer(x)

        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
            return tape.gradient(y, x)

        for jit_compile in (False, True):
            tf.function(gradient, jit_compile=jit_compile)(x)
        inference = tf.function(lambda x: layer(x))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = inference(x)
        tape.gradient(y, x)

    before = graphs_of_functions()
    for size in (21, 22):
        use(size)
    assert graphs_of_functions() == before


def test_saved_functions_keep_their_gradient(tmp_path):
    layer = cases.make_layer(reference.random_weights(SHAPE[-1]), SHAPE)
    module = tf.Module()
    module.variables_of_layer = [weight.value for weight in layer.weights]
    module.f = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec(SHAPE)])
    tf.saved_model.save(module, tmp_path)
    x = tf.constant(cases.random_input(SHAPE), "float32")
    gradients = []
    loaded = tf.saved_model.load(tmp_path)
    for function in (layer, loaded.f):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(function(x))
        gradients.append(tape.gradient(y, x))
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)


def test_layers_that_share_a_trace_keep_their_own_weights():
    x = cases.random_input(SHAPE).astype("float32")
    every = [reference.random_weights(SHAPE[-1], seed) for seed in (0, 1)]
    layers = [cases.make_layer(weights, SHAPE) for weights in every]
    outputs = tf.function(lambda x: [layer(x, training=True) for layer in layers])(x)
    for layer, weights, y in zip(layers, every, outputs, strict=True):
        np.testing.assert_allclose(y, reference.forward(x, weights), rtol=1e-5, atol=1e-5)
        moving = [layer.moving_mean, layer.moving_variance]
        expected = reference.moving_statistics(x, weights)
        np.testing.assert_allclose(moving, expected, rtol=1e-5, atol=1e-5)


def test_forward_mode_equals_the_gradient():
    """A gradient of one's own must not break `tf.autodiff.ForwardAccumulator`."""
    layer = cases.make_layer(reference.random_weights(SHAPE[-1]), SHAPE)
    x = tf.constant(cases.random_input(SHAPE), "float32")
    direction = tf.constant(cases.random_input(SHAPE, seed=1), "float32")
    with tf.autodiff.ForwardAccumulator(x, direction) as forward, tf.GradientTape() as tape:
        tape.watch(x)
        loss = keras.ops.sum(keras.ops.square(layer(x, training=True)))
    expected = tf.reduce_sum(tape.gradient(loss, x) * direction)
    np.testing.assert_allclose(forward.jvp(loss), expected, rtol=1e-3, atol=1e-3)
