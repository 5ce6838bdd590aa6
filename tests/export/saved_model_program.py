"""Runs SavedModels without Keras: `python -m` this with a path, inputs and outputs for each."""

import sys


def main(arguments):
    sys.modules.update(dict.fromkeys(("keras", "keras_bin", "tf_keras", "onnx", "tf2onnx")))
    import numpy as np
    import tensorflow as tf

    for path, inputs, outputs in zip(*[iter(arguments)] * 3, strict=True):
        serve = tf.saved_model.load(path).signatures["serving_default"]
        given = {name: tf.constant(value) for name, value in np.load(inputs).items()}
        np.savez(outputs, **serve(**given))
    assert sys.modules["keras"] is None
    assert sys.modules["keras_bin"] is None


if __name__ == "__main__":
    main(sys.argv[1:])
