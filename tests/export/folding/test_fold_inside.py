"""Subclassed models and layers of a user's own: what folds inside, and what says it did not."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import fold, fold_report
from tests.export.models import BIN, IMAGE
from tests.export.own_layers import Doubled, HidesBIN, HoldsRectified, Rectified, around
from tests.export.values import all_layers, layers_of, randomize, snapshot

pytestmark = pytest.mark.usefixtures("float64")


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


def outputs(model, batch=3):
    shape = model.inputs[0].shape[1:] if hasattr(model, "inputs") else IMAGE
    x = np.random.default_rng(batch).normal(1.5, 2, (batch, *shape))
    return [ops.convert_to_numpy(y) for y in keras.tree.flatten(model(x, training=False))]


def assert_exact(folded, model):
    for got, expected in zip(outputs(folded), outputs(model), strict=True):
        # float64 on both sides, values up to 100.
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("form", FORMS)
def test_layers_inside_become_constants(form):
    make, number = FORMS[form]
    model = make()
    before = snapshot(model)
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == number
    assert not [layer for layer in layers_of(folded, BIN) if layer.built]
    assert {each.became for each in fold_report(model)} == {"batch-instance normalization"}
    assert len(fold_report(model)) == number
    assert_exact(folded, model)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


@pytest.mark.parametrize("form", FORMS)
def test_folding_twice_changes_nothing(form):
    model = FORMS[form][0]()
    once = fold(model)
    assert fold_report(once) == []
    for got, expected in zip(outputs(fold(once)), outputs(once), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_gates_at_an_end_give_layers_of_one_branch(rho):
    model = randomize(around(Block()), rho)
    folded, report = fold(model), fold_report(model)
    became = {0.0: "instance normalization", 1.0: "affine map"}[rho]
    reason = {0.0: "", 1.0: "its owner's call decides what it reads"}[rho]
    assert [(each.became, each.reason) for each in report] == [(became, reason)] * 3
    assert {(layer.batch, layer.instance) for layer in layers_of(folded, Folded)} == {
        (rho == 1, rho == 0)
    }
    assert_exact(folded, model)


def test_layer_that_is_used_twice_is_folded_once():
    block = Block()
    model = around(block, block)
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == len(fold_report(model)) == 3
    assert_exact(folded, model)


def test_bin_layer_of_an_own_layer_that_is_in_the_graph_too_stays_shared():
    block, inputs = Block(), keras.Input(IMAGE)
    x = block(inputs)
    y = block.norm(layers.Conv2D(3, 3, name="conv")(x))
    model = randomize(keras.Model(inputs, [x, y]))
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == len(fold_report(model)) == 3
    assert_exact(folded, model)


@pytest.mark.parametrize("first", ["inside", "outside"])
@pytest.mark.parametrize("normalization", [BIN, layers.BatchNormalization])
def test_layer_in_a_dict_that_is_in_the_graph_too_stays_shared(normalization, first):
    norm, inputs = normalization(name="norm"), keras.Input(IMAGE)
    own = Held(lambda held: {"a": norm}, lambda held: held["a"])
    calls = (own, norm) if first == "inside" else (norm, own)
    model = randomize(keras.Model(inputs, calls[1](calls[0](inputs))))
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == len(fold_report(model)) == 2
    assert not layers_of(folded, normalization)
    assert_exact(folded, model)


def test_convolution_of_an_own_layer_absorbs_nothing_outside():
    block, inputs = Block(), keras.Input(IMAGE)
    x = block(inputs)
    y = layers.BatchNormalization(name="bn")(block.conv(inputs))
    model = randomize(keras.Model(inputs, [x, y]))
    reasons = {each.layer: each.reason for each in fold_report(model)}
    assert reasons["bn"] == f"the layer before, Conv2D {block.conv.name!r}, is called 2 times"
    assert_exact(fold(model), model)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (HoldsRectified, "its call is its own, so it is copied as it is"),
        (HoldsBatchNormalization, "it is inside a layer, where only BIN layers are folded"),
    ],
    ids=["own call", "batch normalization"],
)
def test_layer_that_folding_leaves_inside_another_says_so(make, reason):
    model = around(make())
    (report,) = fold_report(model)
    assert (report.became, report.reason, report.channels) == ("unfolded", reason, 3)
    assert_exact(fold(model), model)


def test_gates_of_layers_that_are_copied_are_snapped_and_counted():
    model, moved = around(HoldsRectified()), around(HoldsRectified())
    layers_of(model, Rectified)[0].rho.assign([0.0, 0.0625, 0.9375])
    layers_of(moved, Rectified)[0].rho.assign([0.0, 0.0, 1.0])
    (report,) = fold_report(model, rho_tolerance=0.125)
    assert report.snapped == 2
    assert_exact(fold(model, rho_tolerance=0.125), moved)


def test_subclassed_model_keeps_its_name_and_gets_named_inputs_and_outputs():
    model = net()
    folded = fold(model)
    assert folded.name == model.name
    assert folded.output_names == [model.name]
    assert [tensor.name for tensor in folded.inputs] == ["inputs"]
    assert folded.input_shape == (None, *IMAGE)


def test_half_precision_inside_becomes_float32():
    keras.config.set_dtype_policy("mixed_float16")
    folded = fold(around(Nested()))
    assert {layer.compute_dtype for layer in all_layers(folded)} == {"float32"}
