#!/usr/bin/env bash
# Guess: a model with a custom activation function that is not registered does not load without `custom_objects`,
#   whatever the function is called.
# Seen, keras 3.15.1 on jax 0.10.2, CPU: a function called `double` is refused. One called `relu` is saved as "relu", and
#   loads as Keras's relu: the loaded model computes something else, and neither `save` nor `load_model` warns.
# Fails if the loaded model computes the same, if something warns, or if `double` loads.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import warnings

import keras
import numpy as np

warnings.simplefilter("error")


def relu(x):
    return 2 * keras.ops.maximum(x, 0)


def double(x):
    return 2 * x


def saved(activation):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Activation(activation)])
    model.save("model.keras")
    return model


x = np.float32([[1, 2]])
before = saved(relu).predict(x, verbose=0).tolist()
loaded = keras.saving.load_model("model.keras").predict(x, verbose=0).tolist()
print(f"relu: {before} before, {loaded} when loaded")
assert before == [[2.0, 4.0]] and loaded == [[1.0, 2.0]]
saved(double)
try:
    keras.saving.load_model("model.keras")
except TypeError as error:
    print(f"double: {type(error).__name__}")
else:
    raise SystemExit("double loads")
PYTHON
