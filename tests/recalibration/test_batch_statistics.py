"""What reaches a normalization layer is measured wherever the layer is, and however called."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin import BatchInstanceNormalization, recalibrate
from tests.recalibration.moving_statistics import (
    BATCH,
    CLOSE,
    assert_statistics,
    images,
    sequential,
)
from tests.replicas import two_replicas

BatchNormalization = keras.layers.BatchNormalization


@pytest.mark.parametrize("axis", [1, 2])
def test_statistics_are_those_of_the_channel_axis(axis):
    layer = BatchNormalization(axis=axis)
    recalibrate(sequential(layer), images(), verbose=0)
    assert_statistics(layer, [np.moveaxis(images(), axis, -1)])


def test_vectors_are_pooled_over_the_batch():
    layer, vectors = BatchNormalization(), images()[:, 0, 0]
    recalibrate(sequential(layer, shape=(3,)), vectors, batch_size=BATCH, verbose=0)
    assert_statistics(layer, [vectors])


@pytest.mark.parametrize("kind", [BatchNormalization, BatchInstanceNormalization])
def test_masked_elements_do_not_count(kind):
    """The second batch has no valid element, and one sample of the first is NaN where masked."""
    x, mask = images()[:, 0], np.arange(5) < np.arange(20)[:, np.newaxis] % 6
    mask[BATCH : 2 * BATCH] = False
    x[~mask] = np.nan

    class WithMask(keras.layers.Layer):
        def compute_mask(self, inputs, previous=None):
            return keras.ops.isfinite(inputs[..., 0])

        def call(self, inputs):
            return inputs

    layer = kind()
    recalibrate(sequential(WithMask(), layer, shape=(5, 3)), x, batch_size=BATCH, verbose=0)
    assert_statistics(layer, [x[mask]])


def test_calls_of_a_shared_layer_are_pooled():
    layer, inputs = BatchNormalization(), keras.Input((4, 5, 3))
    model = keras.Model(inputs, [layer(inputs), layer(2 * inputs[:, 1:] + 1)])
    model.compile(run_eagerly=True)
    recalibrate(model, images(), batch_size=BATCH, verbose=0)
    assert_statistics(layer, [images(), 2 * images()[:, 1:] + 1])


class Block(keras.layers.Layer):
    """Holds a layer in a dict in a list."""

    def __init__(self, layer):
        super().__init__()
        self.held = [{"norm": layer}]

    def call(self, inputs):
        return self.held[0]["norm"](inputs)


class Doubling(BatchNormalization):
    """Has no argument `training`, and passes on something else than its input."""

    def call(self, inputs):
        return super().call(2 * inputs, training=False)


PLACES = {
    "plain": (BatchInstanceNormalization, lambda layer: layer, 1),
    "frozen": (
        lambda: BatchInstanceNormalization(trainable=False),
        lambda layer: layer,
        1,
    ),
    "nested": (BatchNormalization, lambda layer: sequential(layer), 1),
    "time distributed": (BatchNormalization, keras.layers.TimeDistributed, 1),
    "custom layer": (BatchInstanceNormalization, Block, 1),
    "subclass": (Doubling, lambda layer: layer, 2),
    "momentum": (lambda: BatchNormalization(momentum=0.0), lambda layer: layer, 1),
}


@pytest.fixture(scope="module")
def recalibrated():
    """The layers of one model, each in another place."""
    layers = {name: make() for name, (make, _, _) in PLACES.items()}
    inputs = keras.Input((4, 5, 3))
    outputs = [place(layers[name])(inputs) for name, (_, place, _) in PLACES.items()]
    model = keras.Model(inputs, outputs)
    model.compile(run_eagerly=True)
    recalibrate(model, images(), batch_size=BATCH, verbose=0)
    return layers


@pytest.mark.parametrize("name", PLACES)
def test_layer_is_found_everywhere(recalibrated, name):
    factor = PLACES[name][2]
    assert_statistics(recalibrated[name], [factor * images()])


@pytest.mark.tensorflow
def test_two_replicas_pool_their_batches():
    strategy = two_replicas()
    with strategy.scope():
        layer = BatchNormalization()
        recalibrate(sequential(layer), images(), batch_size=BATCH, verbose=0)
    assert_statistics(layer, [images()])


@pytest.mark.tensorflow
def test_function_inside_the_model_is_refused_and_not_changed():
    class Compiled(Block):
        @tf.function
        def call(self, inputs, training=None):
            return self.held[0]["norm"](inputs, training=training)

    model = sequential(Compiled(BatchNormalization()))
    model.layers[0].held[0]["norm"].moving_mean.assign([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"directly, not in a loop.*layer='.*batch_norm"):
        recalibrate(model, images(), verbose=0)
    expected = (images() - [1, 2, 3]) / np.sqrt(1.001)
    np.testing.assert_allclose(model.predict(images(), verbose=0), expected, **CLOSE)
    with pytest.raises(ValueError, match=r"in inference mode.*Received: no call"):
        recalibrate(model, images(), verbose=0)
