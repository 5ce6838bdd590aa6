"""The warning of a training that takes rho's steps as they come from the optimizer."""

import copy
import gc
import pickle
import warnings
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from testing.small_net import batch, build_model
from tests.replicas import two_replicas
from tests.training.test_loops import LOSS, OwnStep, tiny_batch, tiny_model, train_step

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


def plain_model(model_class=keras.Model):
    model = tiny_model()
    return model_class(model.input, model.output, name="net")


QUICKER_EAGERLY = keras.backend.backend() != "jax"


def trained(model, optimizer="sgd", run_eagerly=QUICKER_EAGERLY, **settings):
    model.compile(optimizer, LOSS(from_logits=True), run_eagerly=run_eagerly, **settings)
    model.fit(*tiny_batch(), batch_size=2, epochs=2, verbose=0)
    return model


def said(train):
    """Returns what is said of unscaled steps while a function runs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train()
    return [str(each.message) for each in caught if each.category is keras_bin.UnscaledRhoWarning]


class Outer(keras.Model):
    def __init__(self, inner):
        super().__init__(name="outer")
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


class Block(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras_bin.BatchInstanceNormalization()
        self.head = keras.layers.Dense(3)

    def call(self, inputs):
        return self.head(keras.ops.mean(self.norm(inputs), (1, 2)))


class OwnStepOfBIN(keras_bin.BINModel):
    def train_step(self, *args):
        return keras.Model.train_step(self, *args)


def loop(model, optimizer=None):
    def apply(optimizer, pairs):
        optimizer.apply_gradients(pairs)

    step = train_step(model, optimizer or keras.optimizers.SGD(0.1), apply)
    return lambda: [step(*tiny_batch()) for _ in range(2)]


FROM_MODEL = "Train `keras_bin.BINModel.from_model(model)` instead"
BASE = "make BINModel the base class of"
FUNCTION = "call `keras_bin.apply_gradients(optimizer, zip(gradients, variables))` instead of"
SUPER = "let yours call `super().train_step`"
KINDS = {
    "Functional": (lambda: trained(plain_model()), [FROM_MODEL, FUNCTION, "'net' of class F"]),
    "Sequential": (
        lambda: trained(keras.Sequential(plain_model().layers, name="net")),
        [FROM_MODEL, FUNCTION, "'net' of class Sequential"],
    ),
    "subclass": (
        lambda: trained(Outer(plain_model())),
        [FROM_MODEL, f"{BASE} Outer", FUNCTION, "'outer' of class Outer"],
    ),
    "nested": (
        lambda: trained(keras.Sequential([keras.Input((2, 2, 2)), tiny_model()], name="net")),
        ["The BINModel inside does not train here", FROM_MODEL, "'net' of class Sequential"],
    ),
    "BINModel with its own train_step": (
        lambda: trained(plain_model(OwnStepOfBIN)),
        [SUPER, FUNCTION, "'net' of class OwnStepOfBIN"],
    ),
    "loop": (
        lambda: loop(plain_model())(),
        ["In a custom training loop", FUNCTION, "'net' of class"],
    ),
    "loop over a BINModel": (lambda: loop(tiny_model())(), [FUNCTION, "of class BINModel"]),
    "loop over a layer": (
        lambda: loop(Block(name="block"))(),
        ["In a custom training loop", FUNCTION, "layer='block' of class Block"],
    ),
}


@pytest.mark.lacking("jax", reason="Keras does not tell there which model trains")
@pytest.mark.parametrize("kind", KINDS)
def test_message_says_what_is_lost_and_what_to_write(kind):
    train, parts = KINDS[kind]
    (message,) = said(train)
    for part in ["a tenth as fast as in the paper", "weight decay", "If this is intended", *parts]:
        assert part in message


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="is about JAX")
@pytest.mark.parametrize("model_class", [keras.Model, OwnStepOfBIN])
def test_message_on_jax_says_what_to_write_with_fit_and_in_a_loop(model_class):
    (message,) = said(lambda: trained(plain_model(model_class)))
    assert "Train a `keras_bin.BINModel` by its own `train_step`" in message
    assert "call `keras_bin.stateless_apply(" in message


class Wraps(keras.Model):
    """A plain model with a train step of its own, which scales nothing."""

    train_step = OwnStepOfBIN.train_step


@pytest.mark.lacking("jax", reason="Keras does not tell there which model trains")
def test_train_step_of_a_plain_model_is_named():
    (message,) = said(lambda: trained(plain_model(Wraps)))
    assert f"In the `train_step` of Wraps, {FUNCTION}" in message


@pytest.mark.parametrize(
    "settings",
    [
        {"run_eagerly": True},
        {},
        pytest.param(
            {"jit_compile": True},
            marks=pytest.mark.lacking("torch", reason="compiling by torch.compile takes minutes"),
        ),
        pytest.param(
            {"steps_per_execution": 2},
            marks=pytest.mark.lacking("torch", reason="Keras refuses it on PyTorch"),
        ),
        {"optimizer": keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())},
        {"optimizer": keras.optimizers.Adam(gradient_accumulation_steps=2)},
        {"optimizer": keras.optimizers.SGD(use_ema=True)},
    ],
    ids=["eager", "graph", "XLA", "several steps", "loss scaling", "accumulation", "average"],
)
def test_it_is_said_once_in_every_way_to_run(settings):
    settings = {"run_eagerly": False, **settings}
    assert len(said(lambda: trained(plain_model(), **settings))) == 1
    settings.pop("optimizer", None)  # belongs to the model now
    assert said(lambda: trained(tiny_model(10.0), **settings)) == []


@pytest.mark.lacking("jax", reason="Keras does not tell there which model trains")
def test_it_is_said_once_a_model():
    model = plain_model()
    assert len(said(lambda: trained(model))) == 1
    assert said(lambda: trained(model)) == []
    assert said(loop(model)) == []
    assert len(said(lambda: trained(plain_model()))) == 1


def test_it_is_said_once_of_a_rho_whose_model_is_gone():
    model, optimizer = plain_model(), keras.optimizers.SGD(0.1)

    def step():
        outer = weakref.ref(passing := keras.Sequential([model]))
        passing(tiny_batch()[0], training=True)
        del passing
        gc.collect()
        assert outer() is None
        rho = keras_bin.rho_weights(model)[0]
        optimizer.apply_gradients([(keras.ops.ones(rho.shape), rho)])

    (message,) = said(lambda: [step() for _ in range(3)])
    assert "Received: a rho outside of any model" in message


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        keras.models.clone_model,
        lambda model: keras.Model.from_config(model.get_config()),
    ],
    ids=["deepcopy", "pickle", "clone", "config"],
)
def test_copies_are_models_of_their_own(copied):
    model = plain_model()
    assert len(said(lambda: trained(copied(model)))) == 1
    assert len(said(lambda: trained(model))) == 1
    assert len(said(lambda: trained(copied(model)))) == 1


def test_loaded_model_says_it_too(tmp_path):
    path = tmp_path / "net.keras"
    plain_model().save(path)
    assert len(said(lambda: trained(keras.saving.load_model(path)))) == 1


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("scaling", [True, False], ids=["loss scaling", "plain"])
def test_replicas_say_it_once(scaling):
    strategy = two_replicas()

    def train(make):
        with strategy.scope():
            model = make()
            optimizer = keras.optimizers.Adam()
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer) if scaling else optimizer
            model.compile(optimizer, LOSS(from_logits=True))
        data = tf.data.Dataset.from_tensor_slices(tiny_batch()).batch(4)
        model.fit(data, epochs=2, shuffle=False, verbose=0)

    assert len(said(lambda: train(plain_model))) == 1
    assert said(lambda: train(lambda: tiny_model(10.0))) == []


@pytest.mark.parametrize("freeze", ["rho", "layer"])
def test_nothing_is_said_of_frozen_gates(freeze):
    model = plain_model()
    layer = model.get_layer("bin")
    (layer.rho if freeze == "rho" else layer).trainable = False
    assert said(lambda: trained(model)) == []


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_nothing_is_said_where_the_scale_was_chosen(scale):
    assert said(lambda: trained(tiny_model(scale))) == []


@pytest.mark.tensorflow  # `OwnStep` is written in it
def test_nothing_is_said_of_a_train_step_that_scales():
    assert said(lambda: trained(plain_model(OwnStep))) == []


def test_nothing_is_said_of_a_layer_that_is_only_called():
    model = plain_model()
    images = tiny_batch()[0]
    assert said(lambda: (model(images, training=True), model.predict(images, verbose=0))) == []


def test_category_is_the_way_to_say_that_it_is_meant():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=keras_bin.UnscaledRhoWarning)
        trained(plain_model())


@pytest.mark.parametrize("constraint", [None, "non_neg"])
def test_users_own_constraint_is_applied_and_watched(constraint):
    inputs = keras.Input((2, 2, 2))
    layer = keras_bin.BatchInstanceNormalization(rho_constraint=constraint)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(layer(inputs))))
    layer.rho.assign([-1.0, 2.0])
    assert len(said(lambda: trained(model, keras.optimizers.SGD(0.0)))) == 1
    assert layer.rho.numpy().tolist() == [-1.0 if constraint is None else 0.0, 2.0]


def test_constraint_that_is_set_later_is_applied_and_watched():
    model = plain_model()
    rho = model.get_layer("bin").rho
    rho.constraint = keras.constraints.MinMaxNorm(3.0, 3.0)
    assert len(said(lambda: trained(model))) == 1
    assert np.linalg.norm(rho) == pytest.approx(3.0, rel=1e-5)


def test_step_that_fails_leaves_the_watch_on():
    model = build_model(10.0)

    class Failing(keras.optimizers.SGD):
        def update_step(self, *args):
            raise ZeroDivisionError

    model.compile(Failing(), LOSS(from_logits=True), run_eagerly=True)
    with pytest.raises(ZeroDivisionError):
        model.train_on_batch(*batch())
    plain = keras.Model(model.input, model.output)
    plain.compile("sgd", LOSS(from_logits=True))
    assert len(said(lambda: plain.train_on_batch(*batch()))) == 1
