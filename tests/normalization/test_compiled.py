"""What XLA compiles inside TensorFlow's graphs, and what it does not."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from keras_bin.normalization.compiled import can_compile, compiled

pytestmark = pytest.mark.tensorflow

SHAPE = (4, 5, 6, 7)


def functions_for_xla(layers, shape=SHAPE, training=True):
    """Returns how many functions XLA compiles if a graph differentiates a chain of layers."""

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for layer in layers:
                y = layer(y, training=training)
        return tape.gradient(y, x)

    graph = tf.function(gradient).get_concrete_function(tf.TensorSpec(shape)).graph.as_graph_def()
    attributes = [each for function in graph.library.function for each in function.attr.items()]
    return sum(value.b for name, value in attributes if name.endswith("XlaMustCompile"))


def layers(count=1):
    """Returns layers that are alike, but for their weights."""
    made = [keras_bin.BatchInstanceNormalization(epsilon=0.03) for _ in range(count)]
    for layer in made:
        layer.build(SHAPE)
    return made


def test_training_is_compiled_once_for_all_layers_of_equal_shapes():
    assert functions_for_xla(layers(3)) == 2  # a forward pass, and its gradient


@pytest.mark.parametrize("shape", [(None, *SHAPE[1:]), (4, None, 6, 7)], ids=str)
def test_nothing_is_compiled_for_sizes_that_are_unknown(shape):
    """XLA would compile anew for each size that batches or images come in."""
    assert functions_for_xla(layers(), shape) == 0


def test_inference_is_not_compiled():
    assert functions_for_xla(layers(), training=False) == 0


def test_layer_that_does_not_support_jit_is_not_compiled():
    (layer,) = layers()
    layer.supports_jit = False
    assert functions_for_xla([layer]) == 0


def test_nothing_is_compiled_beside_other_devices(monkeypatch):
    """There, Keras compiles whole models; who prevents that does not want XLA."""
    x = tf.ones(SHAPE)
    assert can_compile(x)
    devices = [tf.config.PhysicalDevice(f"{kind}:0", kind) for kind in ("CPU", "GPU")]
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: devices)
    assert not can_compile(x)


def test_nothing_is_compiled_where_tensorflow_lacks_xla(monkeypatch):
    monkeypatch.setattr(tf.test, "is_built_with_xla", lambda: False)
    assert functions_for_xla(layers()) == 0


def test_compiled_function_returns_numbers_as_they_are():
    results = []

    @tf.function
    def compute(x):
        results.append(compiled(lambda x, n: {"count": n, "none": None, "twice": n * x})(x, 2))
        return results[-1]["twice"]

    np.testing.assert_array_equal(compute(tf.ones(3)), [2, 2, 2])
    assert (results[0]["count"], results[0]["none"]) == (2, None)
