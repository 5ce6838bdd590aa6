"""Trains a BINModel on the backend in KERAS_BACKEND and saves it; run by test_backends.py.

Prints, as JSON, rho's first steps at scale 1 and 10, losses, the gates that RhoHistory recorded,
what is said of training that cannot move rho, what a frozen rho leaves to learn, what loops of
one's own make of rho, and how far a converted model is from its source.
"""

import json
import sys
import warnings

import keras
import numpy as np

import keras_bin
from testing.small_net import batch, build_model
from tests.loops_on_backends import loops

OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(1e-3),
    "AdamW": lambda: keras.optimizers.AdamW(1e-3, weight_decay=0.1),
    "averaged": lambda: keras.optimizers.Adam(1e-3, use_ema=True, ema_overwrite_frequency=2),
    "clipped": lambda: keras.optimizers.SGD(0.01, global_clipnorm=0.1),
}


def rho_of(model):
    return keras.ops.convert_to_numpy(keras_bin.rho_weights(model)[0])


def take_a_step(optimizer, scale):
    """Returns a model after its first step, and what that added to rho."""
    model = build_model(scale)
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*batch(), verbose=0)
    return model, rho_of(model) - 0.5


def recorded_gates():
    """Returns what RhoHistory recorded and logged in two fits, and the gates after each."""
    model, _ = take_a_step(keras.optimizers.Adam(0.01), 10.0)
    rho_history, after, means = keras_bin.RhoHistory(), [rho_of(model).tolist()], []
    for epoch in range(2):
        logged = model.fit(
            *batch(),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
            validation_data=batch(),
            callbacks=[rho_history],
        ).history
        after.append(rho_of(model).tolist())
        means += logged["rho/bin/mean"]
    return {"recorded": rho_history.rho["bin"].tolist(), "after": after, "means": means}


def said(rate, **settings):
    """Returns the beginnings of what a training for two epochs says."""
    model = build_model(10.0)
    model.compile(
        keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*batch(), epochs=2, verbose=0, **settings)
    return [str(each.message)[:17] for each in caught if "rho" in str(each.message)]


def learned_with_frozen_rho():
    """Returns the weights of the BIN layer that a training has changed, with rho frozen."""
    model = build_model(10.0)
    layer = model.get_layer("bin")
    layer.rho.trainable = False
    model.compile(
        keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    before = layer.get_weights()
    model.fit(*batch(), verbose=0)
    triples = zip(layer.weights, before, layer.get_weights(), strict=True)
    return [weight.name for weight, old, new in triples if (old != new).any()]


class Branches(keras.layers.Layer):
    """A layer with batch normalization in a dict of lists."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.branches = {"a": [keras.layers.BatchNormalization()], "b": []}

    def call(self, inputs):
        return inputs + self.branches["a"][0](inputs)


def conversion():
    """Returns how far a converted model is from its source, and whether that outlives training."""
    images, labels = batch()
    inputs = keras.Input(images.shape[1:])
    x = keras.layers.BatchNormalization()(Branches()(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    source = keras.Model(inputs, keras.layers.Dense(3)(x))
    source(images, training=True)
    converted = keras_bin.convert_batch_normalization(source)
    differences = [
        keras.ops.abs(source(images, training=training) - converted(images, training=training))
        for training in (False, True)
    ]
    before = source.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    converted.compile("adam", loss)
    converted.fit(images, labels, verbose=0)
    return {
        "differences": [float(keras.ops.max(each)) for each in differences],
        "gates": [rho.shape[0] for rho in keras_bin.rho_weights(converted)],
        "kept": all(map(np.array_equal, before, source.get_weights())),
    }


def main(path):
    results = {
        "conversion": conversion(),
        "history": recorded_gates(),
        "said": [said(0.01), said(1e-12), said(0.01, batch_size=1)],
        "learned_with_frozen_rho": learned_with_frozen_rho(),
        "loops": loops(),
    }
    for name, optimizer in OPTIMIZERS.items():
        _, step = take_a_step(optimizer(), 1.0)
        model, scaled = take_a_step(optimizer(), 10.0)
        before = model.get_weights()
        losses = model.fit(*batch(), batch_size=16, epochs=8, verbose=0).history["loss"]
        results[name] = {"step": step.tolist(), "scaled": scaled.tolist(), "losses": losses}
    pairs = zip(before, model.get_weights(), strict=True)
    results["trained"] = [bool((old != new).any()) for old, new in pairs]
    model.save(path)
    results["prediction"] = model.predict(batch()[0], verbose=0).tolist()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
