"""Trains BINModels beside keras.Models on one backend; run by test_training_backends.py.

Prints, as JSON, rho's step after another optimizer was put in, what an old optimizer says of
weights that were unfrozen, how far the gates get when only they are trained, gates in half
precision without and with clipping, and what a life of a model (fit, a file, a clone) gives.
"""

import json
import re
import sys

import keras
import numpy as np

import keras_bin
from testing.small_net import batch, build_model

LOSS = keras.losses.SparseCategoricalCrossentropy
OPTIMIZERS = dir(keras.optimizers)
DECAY = 50.0  # would end every gate in a step or two


def rho_of(model):
    return keras.ops.convert_to_numpy(keras_bin.rho_weights(model)[0])


def pair():
    """Returns a BINModel that leaves the steps, and a keras.Model of equal weights."""
    ours, theirs = build_model(1.0), build_model(1.0)
    return ours, keras.Model(theirs.input, theirs.output)


def steps_after_replacement():
    """Returns rho's first steps under an optimizer that replaced another, built or not."""
    steps = []
    for built in (True, False):
        model = build_model(10.0)
        model.compile(keras.optimizers.SGD(0.0), LOSS(from_logits=True))
        model.train_on_batch(*batch())
        model.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=DECAY)
        if built:
            model.optimizer.build(model.trainable_variables)
        model.train_on_batch(*batch())
        steps.append(np.abs(rho_of(model) - 0.5).tolist())
    return steps


def errors_after_unfreezing(optimizer):
    """Returns what ours and theirs say when an optimizer meets weights that were frozen."""
    errors = []
    for model in pair():
        layer = model.get_layer("bin")
        layer.trainable = False
        model.compile(optimizer(), LOSS(from_logits=True))
        model.train_on_batch(*batch())
        layer.trainable = True
        model.compile(model.optimizer, LOSS(from_logits=True))
        try:
            model.train_on_batch(*batch())
        except Exception as error:
            errors.append([type(error).__name__, re.sub("0x[0-9a-f]+", "address", str(error))])
    return errors


def gates_of(optimizer, trained=("rho",)):
    """Returns the gates after two steps that train only the weights of some names."""
    model = build_model(10.0)
    for weight in model.trainable_weights:
        weight.trainable = weight.name in trained
    model.compile(optimizer, LOSS(from_logits=True))
    for _ in range(2):
        model.train_on_batch(*batch())
    return rho_of(model).tolist()


def apart(decay):
    """Returns an optimizer that trains rho apart from all other weights."""
    own, others = (keras.optimizers.AdamW(1e-3, weight_decay=decay) for _ in range(2))
    return keras.optimizers.MultiOptimizer(lambda v: own if v.name == "rho" else others)


def trained_alone():
    """Returns pairs of gates, trained without and with weight decay, by the optimizer's name."""
    classes = [keras.optimizers.AdamW]
    if keras.backend.backend() == "torch":  # Keras decays there by code of its own
        names = ("SGD", "Adam", "RMSprop", "Lion", "Lamb", "Muon")
        classes += [getattr(keras.optimizers, name) for name in names if name in OPTIMIZERS]
    found = {
        cls.__name__: [gates_of(cls(1e-3, weight_decay=decay)) for decay in (0.0, DECAY)]
        for cls in classes
    }
    if "MultiOptimizer" in OPTIMIZERS:
        every = ("kernel", "bias", "gamma", "beta", "rho")
        found["apart"] = [gates_of(apart(decay), every) for decay in (0.0, DECAY)]
    return found


def gates_in_half_precision(**clipping):
    """Returns the gates of a layer in bfloat16 after a step of SGD, with or without clipping."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 2), dtype="bfloat16")
    rho = keras.initializers.Constant(0.75)
    x = keras_bin.BatchInstanceNormalization(rho_initializer=rho, dtype="bfloat16")(inputs)
    x = keras.layers.Flatten(dtype="bfloat16")(keras.ops.gelu(x))
    model = keras_bin.BINModel(inputs, keras.layers.Dense(3, dtype="bfloat16")(x))
    model.compile(keras.optimizers.SGD(0.01, **clipping), LOSS(from_logits=True))
    model.train_on_batch(*batch())
    return rho_of(model).astype("float32").tolist()


def life(model, path):
    """Returns the losses of a model, of its file and of its clone, and what they predict."""
    images, labels = batch()
    settings = {"validation_data": (images, labels), "batch_size": 8, "verbose": 0}
    model.compile("adam", LOSS(from_logits=True), metrics=["accuracy"])
    callbacks = [keras.callbacks.ReduceLROnPlateau("loss"), keras.callbacks.ModelCheckpoint(path)]
    history = model.fit(images, labels, shuffle=False, epochs=2, callbacks=callbacks, **settings)
    seen = [*history.history["loss"], *history.history["val_loss"]]
    loaded = keras.saving.load_model(path)
    seen += loaded.fit(images, labels, shuffle=False, **settings).history["loss"]
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.compile("sgd", LOSS(from_logits=True))
    seen.append(clone.train_on_batch(images, labels))
    seen.append(clone.evaluate(images, labels, verbose=0))
    seen.append(clone.predict(images, verbose=0))
    return np.concatenate([np.ravel(each) for each in seen]).tolist()


def main(folder):
    optimizers = {"averaged": lambda: keras.optimizers.Adam(use_ema=True)}
    if "MultiOptimizer" in OPTIMIZERS:
        optimizers["apart"] = lambda: apart(0.0)
    results = {
        "replaced": steps_after_replacement(),
        "unfrozen": {name: errors_after_unfreezing(make) for name, make in optimizers.items()},
        "alone": trained_alone(),
        "half": [gates_in_half_precision(**each) for each in ({}, {"clipvalue": 1e3})],
        "lives": [life(model, f"{folder}/{i}.keras") for i, model in enumerate(pair())],
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
