"""How TensorFlow traces the layer: once per shape, and nothing outlives its graph."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from keras_bin.normalization.axes import input_axes
from keras_bin.normalization.normalize import _functions
from testing import reference
from tests import cases

pytestmark = pytest.mark.tensorflow

SHAPE = (3, 4, 2, 3)


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
