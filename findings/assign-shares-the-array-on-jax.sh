#!/usr/bin/env bash
# Guess: copying the moving statistics and weights of one BatchNormalization into another, variable by variable with
#   `target.assign(source)`, makes a copy: the layers are then independent, as they are on TensorFlow and PyTorch.
# Seen, keras 3.15.1 on jax 0.10.2, CPU: both variables hold the same JAX array afterwards. `fit` of the target's model
#   donates its arrays to the compiled step, which deletes them. Reading the source, in another model that was never
#   trained, then raises "RuntimeError: Array has been deleted". With `target.assign(keras.ops.copy(source))`, or
#   `set_weights(get_weights())`, the source survives.
# Fails if the source survives `assign`, or does not survive a copy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np


def net():
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization()])


def survives(copied):
    source, target = net(), net()
    for new, old in zip(target.weights, source.weights, strict=True):
        new.assign(copied(old))
    target.compile("sgd", "mse")
    images = np.ones((4, 8, 8, 3), "float32")
    target.fit(images, images, verbose=0)
    try:
        return np.isfinite(source.get_weights()[0]).all()
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
        return False


assigned, copied = survives(lambda variable: variable), survives(keras.ops.copy)
print(f"the source survives assign: {assigned}, assign of a copy: {copied}")
assert not assigned and copied
PYTHON
