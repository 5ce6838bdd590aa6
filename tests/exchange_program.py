"""Saves a model on the backend of the process, then loads those of all; for test_exchange.py.

Takes a folder and the names of the backends. It trains a model, saves it as `BACKEND.keras`, prints
a line, and waits for one. For each file, it then writes what the model computes, and what its next
training step makes of it, to `WRITER-READER.npz`.
"""

import sys

import keras
import numpy as np

import keras_bin
from testing.small_net import batch

GATES = {"batch": 1.0, "instance": 0.0, "between": (0.1, 0.4, 0.6, 0.9)}


def trained_model():
    """Returns a model that has taken a step, so its optimizer has a state, with gates anew."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((6, 6, 2))
    for name in GATES:
        x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        x = keras.layers.Activation("gelu")(keras_bin.BatchInstanceNormalization(name=name)(x))
    model = keras_bin.BINModel(
        inputs, keras.layers.Dense(3, name="head")(keras.layers.Flatten()(x))
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1, epsilon=1e-3), loss)
    model.train_on_batch(*batch())
    for name, gates in GATES.items():
        model.get_layer(name).rho.assign(np.broadcast_to(gates, 4))
    return model


def results(model):
    """Returns arrays: the model's output, its optimizer's state, and what the next step makes."""

    def numbered(name, variables):
        values = map(keras.ops.convert_to_numpy, variables)
        return {f"{name} {number}": value for number, value in enumerate(values)}

    return {
        "output": model.predict(batch()[0], verbose=0),
        **numbered("restored state", model.optimizer.variables),
        "loss": model.train_on_batch(*batch()),
        **numbered("weight", model.weights),
        **numbered("state", model.optimizer.variables),
    }


def main(folder, *backends):
    reader = keras.backend.backend()
    trained_model().save(f"{folder}/{reader}.keras")
    print("saved", flush=True)
    sys.stdin.readline()
    for writer in backends:
        loaded = keras.saving.load_model(f"{folder}/{writer}.keras")
        np.savez(f"{folder}/{writer}-{reader}.npz", **results(loaded))


if __name__ == "__main__":
    main(*sys.argv[1:])
