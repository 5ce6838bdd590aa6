"""What Keras does to normalization layers; the table in docs/limits.md.

If one of these fails under a new Keras, the page can say less.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from keras_bin.keras_internals import moving_average
from tests import cases
from tests.keras_versions import needs_keras

NORMALIZATIONS = pytest.mark.parametrize(
    "normalization",
    [keras.layers.BatchNormalization, keras_bin.BatchInstanceNormalization],
    ids=["BN", "BIN"],
)
# Two videos of five steps, each step brighter than the one before.
VIDEOS = (
    np.random.default_rng(0).normal(size=(2, 5, 4, 4, 3)) + 10 * np.arange(1, 6).reshape(5, 1, 1, 1)
).astype("float32")


def update_count(layer):
    """Returns how often the variance of zeros has been averaged into that of a new layer."""
    return round(float(np.log(layer.moving_variance[0]) / np.log(layer.momentum)), 3)


class Cell(keras.layers.Layer):
    """A recurrent cell that normalizes its input."""

    state_size = output_size = 3

    def __init__(self, normalization):
        super().__init__()
        self.normalization = normalization

    def build(self, input_shape):
        self.normalization.build(input_shape)

    def call(self, inputs, states, training=None):
        x = keras.ops.mean(self.normalization(inputs, training=training), (1, 2)) + states[0]
        return x, [x]


@pytest.mark.tensorflow
@NORMALIZATIONS
@pytest.mark.parametrize(("unroll", "updates"), [(False, 6), (True, 5)], ids=["loop", "unrolled"])
def test_cell_is_run_twice_in_the_first_step(normalization, unroll, updates):
    layer = normalization()
    keras.layers.RNN(Cell(layer), unroll=unroll)(0 * VIDEOS, training=True)
    assert update_count(layer) == updates


@NORMALIZATIONS
def test_each_step_has_its_own_statistics_under_time_distributed(normalization):
    layer = normalization()
    outputs = keras.layers.TimeDistributed(layer)(VIDEOS, training=True)
    np.testing.assert_allclose(np.asarray(outputs).mean((0, 2, 3, 4)), 0, atol=1e-5)
    zeros = normalization()
    keras.layers.TimeDistributed(zeros)(0 * VIDEOS, training=True)
    assert update_count(zeros) == VIDEOS.shape[1]


@pytest.mark.tensorflow
@NORMALIZATIONS
def test_first_step_alone_counts_where_the_number_of_steps_is_unknown(normalization):
    layer = normalization(momentum=0.0)
    distributed = keras.layers.TimeDistributed(layer)
    distributed.build(VIDEOS.shape)
    step = tf.function(lambda x: distributed(x, training=True))
    step.get_concrete_function(tf.TensorSpec((None, None, *VIDEOS.shape[2:])))(VIDEOS)
    first = VIDEOS[:, 0].mean((0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, first, rtol=1e-5)


@pytest.mark.tensorflow
@needs_keras("3.14", "takes all steps")
def test_rows_are_taken_for_steps_where_their_number_is_unknown():
    distributed = keras.layers.TimeDistributed(keras.layers.Rescaling(1.0))
    function = tf.function(distributed, autograph=False).get_concrete_function(
        tf.TensorSpec((None, None, *VIDEOS.shape[2:]))
    )
    np.testing.assert_array_equal(function(tf.constant(VIDEOS)), VIDEOS[:, :2])


@NORMALIZATIONS
def test_gradient_accumulation_counts_batches(normalization):
    layer = normalization()
    inputs = keras.Input((4, 4, 3))
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(layer(inputs)))
    model = keras_bin.BINModel(inputs, outputs)
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([5], [1.0, 0.1])
    optimizer = keras.optimizers.SGD(
        rate, gradient_accumulation_steps=4, use_ema=True, ema_momentum=0.5
    )
    model.compile(optimizer, "mse", run_eagerly=True)
    rates, biases, averages = [], [], []
    for _ in range(11):
        model.train_on_batch(np.zeros((2, 4, 4, 3)), np.ones((2, 1)))
        rates.append(float(optimizer.learning_rate))
        biases.append(float(cases.numpy(model.layers[-1].bias)[0]))
        averages.append(float(cases.numpy(moving_average(optimizer, model.layers[-1].bias))[0]))
    assert update_count(layer) == 11
    assert int(optimizer.iterations) == 2
    np.testing.assert_allclose(rates, [1.0] * 5 + [0.1] * 6)
    # The second step of the weights is the eighth batch; its share grows with each batch.
    share = (np.array(averages[7:]) - biases[6]) / (biases[7] - biases[6])
    np.testing.assert_allclose(share, 1 - 0.5 ** np.arange(1, 5), rtol=1e-4)


@pytest.mark.tensorflow
@NORMALIZATIONS
@pytest.mark.parametrize(
    ("scope", "updates"),
    [({"mode": "full"}, 2), ({"mode": "list_of_layers", "layer_names": ["dense"]}, 1)],
    ids=["inside", "outside"],
)
def test_rematerialization_updates_twice(normalization, scope, updates):
    with keras.RematScope(**scope):
        layer, dense = normalization(), keras.layers.Dense(2, name="dense")
        x = tf.constant(0 * VIDEOS[0])
        with tf.GradientTape() as tape:
            y = keras.ops.sum(dense(layer(x, training=True)))
        tape.gradient(y, [*layer.trainable_weights, *dense.trainable_weights])
    assert update_count(layer) == updates


@pytest.mark.tensorflow
@NORMALIZATIONS
def test_rematerialization_fails_in_a_graph(normalization):
    with keras.RematScope(mode="full"):
        layer = normalization()
    layer.build(VIDEOS[0].shape)
    with pytest.raises(ValueError, match="only when eager execution is enabled"):
        tf.function(lambda x: layer(x, training=True))(tf.constant(VIDEOS[0]))


@NORMALIZATIONS
@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.AdamW])
def test_adam_moves_no_weight_of_bfloat16(normalization, optimizer):
    layer = normalization(dtype="bfloat16")
    layer.build((None, 4, 4, 3))
    before = layer.get_weights()
    optimizer = optimizer(0.1, weight_decay=0.0)
    ones = [keras.ops.ones(weight.shape, weight.dtype) for weight in layer.trainable_weights]
    pairs = zip(ones, layer.trainable_weights, strict=True)
    keras_bin.apply_gradients(optimizer, pairs)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
