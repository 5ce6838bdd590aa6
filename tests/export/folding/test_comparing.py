"""A folded model that computes something else than the model is not returned."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_bin
from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import fold, fold_report
from keras_bin.export.errors import ValuesError
from keras_bin.export.folding.comparing import check_folded
from keras_bin.export.folding.folding import Folding
from tests.export.models import BIN, HALF_KINDS, IMAGE, KINDS, bin_model
from tests.export.own_layers import around
from tests.export.values import layers_of, randomize, snapshot


def images(rows=4):
    return np.random.default_rng(rows).normal(1.5, 2, (rows, *IMAGE)).astype("float32")


def assert_same(folded, model):
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        folded(images()), model.predict(images(), verbose=0), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["functional", "masked", "dicts", "fixed_batch", "operations"])
@pytest.mark.parametrize("name", ["offset", "bias"])
def test_changed_weight_of_a_folded_model_is_found(kind, name):
    model = KINDS[kind]()
    folded = Folding(model).model
    check_folded(model, folded)
    weight = [weight for weight in folded.weights if weight.name in (name, "offset")][-1]
    weight.assign(weight + 3.0)
    with pytest.raises(ValuesError, match=rf"Received: model '{model.name}'") as caught:
        check_folded(model, folded)
    assert "by up to " in caught.value.differences[0]


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_may_round_but_not_be_wrong(kind):
    model = HALF_KINDS[kind]()
    folded = Folding(model).model
    check_folded(model, folded)
    weight = next(weight for weight in folded.weights if weight.name == "offset")
    weight.assign(weight + 3.0)
    with pytest.raises(ValuesError):
        check_folded(model, folded)


class Counting(layers.Layer):
    """Counts its calls, and draws a number that it does not use."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(1)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign(self.calls + 1)
        return inputs + 0 * keras.random.uniform((), seed=self.seeds)


def test_models_are_left_in_the_state_that_they_had():
    model = around(Counting(), BIN())
    model.layers[1].calls.assign(5)
    before = [np.array(variable) for variable in model.variables]
    folded = fold(model)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)
    assert float(folded.layers[1].calls) == 5
    np.testing.assert_array_equal(
        folded.layers[1].seeds.state.numpy(), model.layers[1].seeds.state.numpy()
    )


@pytest.mark.parametrize("rho_tolerance", [0.0, 0.25])
def test_gates_that_are_clipped_and_moved_are_no_difference(rho_tolerance):
    model = bin_model()
    model.get_layer("bin").rho.assign([-3.0, 0.1, 4.0])
    fold(model, rho_tolerance)
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.array([-3.0, 0.1, 4.0], "float32"))


class Noise(layers.Layer):
    """Adds noise in inference too, from Keras's seeds or from TensorFlow's."""

    def __init__(self, of_keras, **kwargs):
        super().__init__(**kwargs)
        self.of_keras = of_keras
        self.seeds = keras.random.SeedGenerator()

    def call(self, inputs):
        if self.of_keras:
            return inputs + keras.random.normal(ops.shape(inputs), seed=self.seeds)
        import tensorflow as tf

        return inputs + tf.random.normal(tf.shape(inputs))


class OtherBatches(layers.Layer):
    """Runs on seven rows only."""

    def call(self, inputs):
        return ops.reshape(inputs, (7, -1))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Noise(True),
        lambda: Noise(False),
        lambda: layers.Lambda(lambda x: ops.log(-ops.abs(x) - 1)),
        OtherBatches,
    ],
    ids=["Keras's seeds", "TensorFlow's seeds", "not finite", "does not run"],
)
def test_what_cannot_be_compared_is_folded(layer):
    model = around(BIN(), layer())
    assert len(layers_of(fold(model), Folded)) == 1


def test_text_is_folded_around():
    inputs = keras.Input((4,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    x = layers.Embedding(3, 3, embeddings_initializer="normal")(lookup(inputs))
    folded = fold(randomize(keras.Model(inputs, BIN()(x))))
    assert len(layers_of(folded, Folded)) == 1


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_whole_numbers_are_compared(dtype):
    model = around(BIN(), layers.Lambda(lambda x: ops.cast(ops.argmax(x, -1), dtype)))
    folded = fold(model)
    (layer,) = layers_of(folded, Folded)
    layer.offset.assign([9.0, 0.0, 0.0])
    with pytest.raises(ValuesError, match="by up to"):
        check_folded(model, folded)


class Sloped(keras_bin.BINModel):
    """Keras writes the default slope into its config."""

    def __init__(self, slope=0.1, **kwargs):
        super().__init__(**kwargs)
        self.norm = BIN()
        self.slope = slope

    def call(self, inputs):
        return ops.leaky_relu(self.norm(inputs), self.slope)


class Set(keras.Model):
    """What it computes was set after it was made."""

    def __init__(self):
        super().__init__()
        self.norm = BIN()
        self.factor = 1.0

    def call(self, inputs):
        return self.factor * self.norm(inputs)


class Forgetful(layers.Layer):
    def __init__(self, power, norm=None, **kwargs):
        super().__init__(**kwargs)
        self.power = power
        self.norm = norm

    def call(self, inputs):
        y = ops.abs(inputs) ** self.power
        return y if self.norm is None else self.norm(y)

    def get_config(self):
        return {**super().get_config(), "power": 1}


def sloped():
    model = Sloped(slope=0.9)
    model(images())
    return randomize(model)


def set_later():
    model = Set()
    model(images())
    model.factor = 7.0
    return randomize(model)


INCOMPLETE = {
    "default argument": sloped,
    "default argument, inside": lambda: around(Sloped(slope=0.9)),
    "set later": set_later,
    "config that lies": lambda: around(Forgetful(2), BIN()),
    "config that lies, around BIN": lambda: around(Forgetful(2, BIN())),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_what_a_config_does_not_say_is_kept(name):
    model = INCOMPLETE[name]()
    before = snapshot(model)
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == 1
    assert_same(folded, model)
    for weight in folded.weights:
        weight.assign(weight * 0 + 7)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


class Trains(layers.Layer):
    """Its own call uses the statistics of the batch, whatever Keras says."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm

    def call(self, inputs):
        return self.norm(inputs, training=True)


class Reads(layers.Layer):
    """Reads the weights of its BIN layer."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm

    def call(self, inputs):
        return self.norm(inputs) * ops.mean(self.norm.gamma)


class CallsMethod(layers.Layer):
    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.method = norm.call

    def call(self, inputs):
        return self.norm(self.method(self.norm(inputs)))


@pytest.mark.parametrize("own", [Trains, Reads, CallsMethod])
def test_bin_layer_of_which_its_owner_wants_more_stays_as_it_is(own):
    model = around(layers.Conv2D(3, 1), own(BIN(name="norm")), BIN(name="last"))
    folded = fold(model)
    assert len(layers_of(folded, BIN)) == len(layers_of(folded, Folded)) == 1
    unfolded, last = sorted(fold_report(model), key=lambda each: each.became, reverse=True)
    assert unfolded.layer.endswith("/norm")
    assert (unfolded.became, last.layer) == ("unfolded", "last")
    assert unfolded.reason.startswith("a layer of the model's own does more with BIN layers than")
    assert_same(folded, model)


def test_batch_normalization_that_its_owner_trains_stays_as_it_is():
    model = around(Trains(layers.BatchNormalization()))
    assert_same(fold(model), model)


class Calls(layers.Layer):
    """Calls a layer that only its function knows."""

    def __init__(self, norm, wrap, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.function = wrap(norm)

    def call(self, inputs):
        return self.function(self.norm(inputs))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda norm: lambda x: norm(x),
        lambda norm: functools.partial(lambda norm, x: norm()(x), lambda: norm),
    ],
    ids=["closure", "closure in a partial"],
)
def test_layer_that_only_a_function_knows_is_refused_by_name(wrap):
    model = around(Calls(BIN(name="norm"), wrap), BIN(name="last"))
    before = snapshot(model)
    with pytest.raises(ValuesError, match=r"(?s)through a function.*export_onnx.*'calls\S*/norm'"):
        fold(model)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


class FindsById(layers.Layer):
    """Looks a layer up by what a copy of it does not have."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.by_id = {id(norm): norm}

    def call(self, inputs):
        return self.by_id[id(self.norm)](inputs)


def test_layer_whose_copy_does_not_run_is_refused_by_name():
    model = around(FindsById(BIN(), name="finds"))
    with pytest.raises(ValueError, match=r"(?s)export_onnx, which.*'finds' of type FindsById"):
        fold(model)
