"""Custom layers and models, which do more than their parts say."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import keras_bin
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE


def around(*stack, shape=IMAGE):
    """A Functional model of layers that follow each other, with weights moved from their start."""
    x = inputs = keras.Input(shape, name="image")
    for layer in stack:
        x = layer(x)
    return randomize(keras.Model(inputs, x))


class Branch(layers.Layer):
    """A layer with a BIN layer inside and no get_config of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.bin = BIN()

    def build(self, input_shape):
        self.bin.build(input_shape)

    def call(self, inputs, training=None):
        return self.bin(inputs, training=training)


class HidesBIN(layers.Layer):
    """A layer whose BIN layer is under a private name."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._bin = BIN()

    def build(self, input_shape):
        self._bin.build(input_shape)

    def call(self, inputs):
        return self._bin(inputs)


class Doubling:
    """Makes a model of one BIN layer, whose `call` does more than its graph."""

    def __init__(self):
        inputs = keras.Input(IMAGE)
        super().__init__(inputs, BIN()(inputs))

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


class Doubled(Doubling, keras.Model):
    """A Functional model with a call of its own."""


class DoubledBIN(Doubling, keras_bin.BINModel):
    """A BINModel with a call of its own."""


class Sloped(keras_bin.BINModel):
    """A model into whose config Keras writes the default slope, whatever the slope is."""

    def __init__(self, slope=0.1, **kwargs):
        super().__init__(**kwargs)
        self.slope, self.norm = slope, BIN()

    def call(self, inputs, training=None):
        return ops.leaky_relu(self.norm(inputs, training=training), self.slope)


def sloped():
    """A model of which 0.1 would be the default slope, and 0.9 is the slope."""
    model = Sloped(slope=0.9)
    model(np.zeros((4, *IMAGE), "float32"))
    return model


class Rectified(BIN):
    """A BIN layer whose `call` does more than BIN."""

    def call(self, inputs, training=None, mask=None):
        return ops.relu(super().call(inputs, training=training, mask=mask))


class HoldsRectified(layers.Layer):
    """A layer whose BIN layer has a call of its own, so that it is not folded."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = Rectified(name="norm")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs):
        return self.norm(inputs)


class Counting(layers.Layer):
    """Adds the number of its calls, which it counts in float32.

    Args:
        steps: how often it counts a call, in a loop; by default once, outside loops.
    """

    def __init__(self, steps=0, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def build(self, input_shape):
        self.calls = self.add_weight(
            shape=(), initializer="zeros", trainable=False, dtype="float32"
        )

    def call(self, inputs):
        if self.steps:
            tf.while_loop(lambda step: step < self.steps, self._count, [tf.constant(0)])
        else:
            self.calls.assign_add(1.0)
        return inputs + ops.cast(self.calls, inputs.dtype)

    def _count(self, step):
        self.calls.value.assign_add(1.0)
        return [step + 1]
