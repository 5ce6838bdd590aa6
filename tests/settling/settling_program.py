"""Measures and settles a saved net on one backend; run by test_settling_backends.py.

Takes the `.keras` file, and prints, as JSON, what its layers are worth, and the gates after a
training with SettleRho and after one more without it.
"""

import json
import sys

import keras

import keras_bin
from tests.settling.nets import compiled, gates, pictures


def listed(model):
    return {name: rho.tolist() for name, rho in gates(model).items()}


def main(path):
    data = pictures()
    model = compiled(keras.saving.load_model(path))
    worths = [list(worth[3:]) for worth in keras_bin.rho_worth(model, data)]
    settle = keras_bin.SettleRho(data, max_cost=0.0, free_increase=0.0, verbose=False)
    model.fit(*data, epochs=3, verbose=0, callbacks=[settle])
    settled = listed(model)
    model.fit(*data, verbose=0)
    print(json.dumps({"worths": worths, "settled": settled, "after": listed(model)}))


if __name__ == "__main__":
    main(sys.argv[1])
