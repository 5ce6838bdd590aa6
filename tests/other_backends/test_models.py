"""BINModel beside keras.Model on a backend other than TensorFlow; on JAX, in NNX mode, too."""

import re

import keras
import numpy as np
import pytest

import keras_bin
from testing.small_net import batch, build_model

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
OPTIMIZERS = dir(keras.optimizers)
DECAY = 50.0  # would end every gate in a step or two
with_several = pytest.mark.skipif(
    "MultiOptimizer" not in OPTIMIZERS, reason="Keras has no MultiOptimizer before 3.13"
)


def rho_of(model):
    return np.array(keras_bin.rho_weights(model)[0], "float32")


def pair():
    """Returns a BINModel that leaves the steps, and a keras.Model of equal weights."""
    ours, theirs = build_model(1.0), build_model(1.0)
    return ours, keras.Model(theirs.input, theirs.output)


def apart(decay=0.0):
    """Returns an optimizer that trains rho apart from all other weights."""
    own, others = (keras.optimizers.AdamW(1e-3, weight_decay=decay) for _ in range(2))
    return keras.optimizers.MultiOptimizer(lambda v: own if v.name == "rho" else others)


@pytest.mark.parametrize("built", [True, False], ids=["built", "not built"])
def test_another_optimizer_steps_ten_times_as_far_without_decay(built):
    model = build_model(10.0)
    model.compile(keras.optimizers.SGD(0.0), LOSS)
    model.train_on_batch(*batch())
    model.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=DECAY)
    if built:
        model.optimizer.build(model.trainable_variables)
    model.train_on_batch(*batch())
    np.testing.assert_allclose(np.abs(rho_of(model) - 0.5), 0.01, rtol=0.01)


@pytest.mark.parametrize(
    "optimizer",
    [lambda: keras.optimizers.Adam(use_ema=True), pytest.param(apart, marks=with_several)],
    ids=["averaged", "apart"],
)
def test_old_optimizer_refuses_what_was_unfrozen_in_keras_words(optimizer):
    said = []
    for model in pair():
        layer = model.get_layer("bin")
        layer.trainable = False
        model.compile(optimizer(), LOSS)
        model.train_on_batch(*batch())
        layer.trainable = True
        model.compile(model.optimizer, LOSS)
        with pytest.raises(ValueError) as raised:  # noqa: PT011 - the words are compared
            model.train_on_batch(*batch())
        said.append(re.sub("0x[0-9a-f]+", "address", str(raised.value)))
    assert said[0] == said[1]


def gates_of(optimizer, trained):
    """Returns the gates after two steps that train only the weights of some names."""
    model = build_model(10.0)
    for weight in model.trainable_weights:
        weight.trainable = weight.name in trained
    model.compile(optimizer, LOSS)
    for _ in range(2):
        model.train_on_batch(*batch())
    return rho_of(model)


# On PyTorch, Keras decays weights by code of its own for each optimizer.
DECAYING = ["AdamW"]
if keras.backend.backend() == "torch":
    DECAYING += [name for name in "SGD Adam RMSprop Lion Lamb Muon".split() if name in OPTIMIZERS]


@pytest.mark.parametrize("name", DECAYING)
def test_gates_that_are_trained_alone_do_not_decay(name):
    optimizer = getattr(keras.optimizers, name)
    plain, decayed = (gates_of(optimizer(1e-3, weight_decay=d), ["rho"]) for d in (0.0, DECAY))
    assert np.abs(plain - 0.5).min() > 1e-4
    np.testing.assert_array_equal(decayed, plain)


@with_several
def test_gates_with_an_optimizer_of_their_own_do_not_decay():
    every = ("kernel", "bias", "gamma", "beta", "rho")
    plain, decayed = (gates_of(apart(decay), every) for decay in (0.0, DECAY))
    assert np.abs(plain - 0.5).min() > 1e-4
    # The other weights decay by a twentieth a step.
    np.testing.assert_allclose(decayed, plain, rtol=0, atol=1e-3)


def life(model, path):
    """Returns the losses of a model, of its file and of its clone, and what they predict."""
    images, labels = batch()
    settings = {"validation_data": (images, labels), "batch_size": 8, "verbose": 0}
    model.compile("adam", LOSS, metrics=["accuracy"])
    callbacks = [keras.callbacks.ReduceLROnPlateau("loss"), keras.callbacks.ModelCheckpoint(path)]
    history = model.fit(images, labels, shuffle=False, epochs=2, callbacks=callbacks, **settings)
    seen = [*history.history["loss"], *history.history["val_loss"]]
    loaded = keras.saving.load_model(path)
    seen += loaded.fit(images, labels, shuffle=False, **settings).history["loss"]
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.compile("sgd", LOSS)
    seen.append(clone.train_on_batch(images, labels))
    seen.append(clone.evaluate(images, labels, verbose=0))
    seen.append(clone.predict(images, verbose=0))
    return np.concatenate([np.ravel(each) for each in seen])


@pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")
def test_model_lives_as_one_of_keras_does(tmp_path):
    ours, theirs = (life(model, tmp_path / f"{i}.keras") for i, model in enumerate(pair()))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def gates_in_half_precision(**clipping):
    """Returns the gates of a layer in bfloat16 after a step of SGD, with or without clipping."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 2), dtype="bfloat16")
    rho = keras.initializers.Constant(0.75)
    x = keras_bin.BatchInstanceNormalization(rho_initializer=rho, dtype="bfloat16")(inputs)
    x = keras.layers.Flatten(dtype="bfloat16")(keras.ops.gelu(x))
    model = keras_bin.BINModel(inputs, keras.layers.Dense(3, dtype="bfloat16")(x))
    model.compile(keras.optimizers.SGD(0.01, **clipping), LOSS)
    model.train_on_batch(*batch())
    return rho_of(model)


def test_clipping_leaves_the_steps_of_gates_in_half_precision():
    plain, clipped = (gates_in_half_precision(**each) for each in ({}, {"clipvalue": 1e3}))
    assert np.abs(plain - 0.75).max() > 1e-3
    np.testing.assert_array_equal(clipped, plain)
