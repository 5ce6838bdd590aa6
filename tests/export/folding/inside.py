"""Subclassed models and custom layers with BIN layers inside, by how these are held.

`FORMS` maps names to functions that make a model, and how many BIN layers it calls.
"""

import functools

import keras
import numpy as np
from keras import layers, ops

from testing.weights import randomize
from tests.export.custom_layers import Doubled, HidesBIN, around
from tests.export.kinds import BIN, IMAGE


class Block(layers.Layer):
    """BIN layers as an attribute, and in a list among other layers with weights."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(3, 3, padding="same", use_bias=False)
        self.norm = BIN(name="norm")
        self.steps = [layers.Dense(3), BIN(name="step1"), layers.Dense(3), BIN(name="step2")]

    def call(self, inputs, training=None):
        x = self.norm(self.conv(inputs), training=training)
        for step in self.steps:
            x = step(x)
        return x


class WeightedBlock(Block):
    """A block with a weight of its own, and its weights made in another order."""

    def build(self, input_shape):
        self.steps[1].build(input_shape)
        self.factor = self.add_weight(shape=(3,), initializer="normal", name="factor")

    def call(self, inputs, training=None):
        return self.factor * super().call(inputs, training=training)


class Nested(layers.Layer):
    """A block inside a layer, and one BIN layer under two names."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = Block()
        self.norm = BIN(name="twice")
        self.same = [self.norm]

    def call(self, inputs):
        return self.same[0](self.norm(self.block(inputs)))


class Net(keras.Model):
    """A subclassed model, without a get_config of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.nested = Nested()
        self.norm = BIN(name="last")
        self.head = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.head(self.norm(self.nested(inputs), training=training))


class MakesInBuild(layers.Layer):
    def build(self, input_shape):
        self.norm = BIN(name="norm")
        self.norm.build(input_shape)

    def call(self, inputs):
        return self.norm(inputs)


class Helper:
    """Holds a layer where Keras does not look."""

    def __init__(self, layer):
        self.layer = layer


class Passing(layers.Layer):
    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, inputs):
        return self.layer(inputs)


class Held(layers.Layer):
    """One BIN layer that is an attribute, and held in another way; both are called."""

    def __init__(self, hold, take, **kwargs):
        super().__init__(**kwargs)
        self.norm = BIN(name="norm")
        self.other = hold(self.norm)
        self.take = take

    def call(self, inputs):
        return self.norm(inputs) + self.take(self.other)(2 * inputs)


HOLDERS = {
    "attribute": (lambda norm: norm, lambda held: held),
    "dict": (lambda norm: {"a": norm}, lambda held: held["a"]),
    "dict of lists": (lambda norm: {"a": [None, norm]}, lambda held: held["a"][1]),
    "list": (lambda norm: [norm], lambda held: held[0]),
    "tuple": (lambda norm: (1, norm), lambda held: held[1]),
    "set": (lambda norm: {norm}, lambda held: next(iter(held))),
    "helper": (Helper, lambda held: held.layer),
    "partial": (lambda norm: functools.partial(norm, training=False), lambda held: held),
    "layer": (Passing, lambda held: held),
    "model": (lambda norm: keras.Sequential([keras.Input(IMAGE), norm]), lambda held: held),
}


class Alone(layers.Layer):
    """A BIN layer that is held in one way only."""

    def __init__(self, hold, take, **kwargs):
        super().__init__(**kwargs)
        self._held = hold(BIN(name="norm"))
        self.take = take

    def call(self, inputs):
        return self.take(self._held)(inputs)


class HoldsModel(layers.Layer):
    """A model inside a layer that calls it, or the layers of it one by one."""

    def __init__(self, one_by_one=False, **kwargs):
        super().__init__(**kwargs)
        self.model = keras.Sequential([keras.Input(IMAGE), layers.Dense(3), BIN(name="norm")])
        self.one_by_one = one_by_one

    def call(self, inputs):
        if not self.one_by_one:
            return self.model(inputs)
        for layer in self.model.layers:
            inputs = layer(inputs)
        return inputs


class HoldsBatchNormalization(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization(name="norm")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs):
        return self.norm(inputs)


@keras.saving.register_keras_serializable("tests")
class Spare(layers.Layer):
    """One BIN layer that is called, and one that never is."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm, self.spare = BIN(name="norm"), BIN(name="spare")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs):
        return self.norm(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


class Bare(keras.Model):
    """A subclassed model whose constructor takes nothing, and that returns a dict."""

    def __init__(self):
        super().__init__()
        self.norm = BIN(name="norm")

    def call(self, inputs):
        x = self.norm(inputs)
        return {"image": x, "mean": ops.mean(x, (1, 2))}


def net(model_class=Net):
    model = model_class()
    model(np.zeros((1, *IMAGE)))
    return randomize(model)


def two_owners():
    norm = BIN(name="norm")
    return around(Passing(norm), Held(lambda _: [norm], lambda held: held[0]))


def held(own, holder):
    return around(own(*HOLDERS[holder]))


FORMS = {
    "subclassed model": (net, 5),
    "constructor without arguments": (lambda: net(Bare), 1),
    "subclassed model inside": (lambda: around(layers.Conv2D(3, 1), Net()), 5),
    "attribute and list": (lambda: around(Block()), 3),
    "own weights": (lambda: around(WeightedBlock()), 3),
    "nested": (lambda: around(Nested()), 4),
    "never called": (lambda: around(Spare()), 1),
    "made in build": (lambda: around(MakesInBuild()), 1),
    "two owners": (two_owners, 2),
    "private": (lambda: around(HidesBIN()), 1),
    "model in a layer": (lambda: around(HoldsModel()), 1),
    "layers of a model in a layer": (lambda: around(HoldsModel(one_by_one=True)), 1),
    "functional subclass": (lambda: randomize(Doubled()), 1),
    "wrapper of a model": (
        lambda: around(
            layers.TimeDistributed(keras.Sequential([keras.Input(IMAGE), BIN()])),
            shape=(2, *IMAGE),
        ),
        1,
    ),
    **{f"twice: {name}": (functools.partial(held, Held, name), 1) for name in HOLDERS},
    **{
        f"in {name}": (functools.partial(held, Alone, name), 1)
        for name in ("dict", "tuple", "model")
    },
    "wrapper": (lambda: around(layers.TimeDistributed(BIN()), shape=(3, 5, 4)), 1),
    "wrapped own": (lambda: around(layers.TimeDistributed(Spare()), shape=(2, *IMAGE)), 1),
}
