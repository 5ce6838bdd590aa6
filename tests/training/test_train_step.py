"""What BINModel trains on, beside keras.Model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from testing.small_net import batch
from tests.keras_versions import needs_keras

# keras.Model is what BINModel is compared with.
pytestmark = pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")

TAKES_NONE = needs_keras("3.12", "takes no None among arrays")
IMAGES, LABELS = (each[:6] for each in batch())


class Body(keras.layers.Layer):
    """A net that takes the first of its inputs, which may be of unknown rank."""

    def __init__(self):
        super().__init__()
        self.bin = keras_bin.BatchInstanceNormalization(rho_initializer=0.5)
        self.head = keras.layers.Dense(3)

    def call(self, inputs, training=None):
        images = next(each for each in keras.tree.flatten(inputs) if each is not None)
        images = keras.ops.reshape(images, (-1, 6, 6, 2))
        return self.head(keras.ops.mean(self.bin(images, training=training), (1, 2)))


def trained(base, data):
    """Trains a subclass of `base` for two epochs; returns the losses and the weights."""

    class Model(base):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.body = Body()

        def call(self, inputs, training=None):
            return self.body(inputs, training=training)

    keras.utils.set_random_seed(0)
    model = Model(**({} if base is keras.Model else {"rho_gradient_scale": 1.0}))
    model(IMAGES)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, weighted_metrics=["accuracy"])
    history = model.fit(**data(), epochs=2, shuffle=False, verbose=0)
    return [*history.history.values(), *model.get_weights()]


def unknown_rank(structure):
    """Returns a dataset of images of unknown rank, in the structure that a function makes."""

    def row(index):
        image = tf.numpy_function(lambda i: IMAGES[i], [index], tf.float32)
        return structure(image), tf.constant(LABELS)[index]

    return {"x": tf.data.Dataset.range(len(IMAGES)).map(row).batch(4)}


@pytest.mark.parametrize(
    "data",
    [
        lambda: unknown_rank(lambda image: image),
        lambda: unknown_rank(lambda image: (image, tf.shape(image))),
        lambda: unknown_rank(lambda image: {"a": image, "b": {"c": image}}),
        pytest.param(lambda: {"x": {"a": None, "b": IMAGES}, "y": LABELS}, marks=TAKES_NONE),
        pytest.param(
            lambda: {"x": [None, (IMAGES,)], "y": LABELS, "sample_weight": np.arange(6.0)},
            marks=TAKES_NONE,
        ),
        lambda: {"x": IMAGES, "y": LABELS, "class_weight": {0: 0.0, 1: 2.0, 2: 1.0}},
    ],
    ids=["unknown rank", "tuple", "dicts", "None in a dict", "None in a list", "class weights"],
)
def test_data_that_keras_takes_trains_as_there(data):
    ours, theirs = (trained(base, data) for base in (keras_bin.BINModel, keras.Model))
    for own, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, their, rtol=1e-6, atol=1e-6)
