#!/usr/bin/env bash
# Guess: TimeDistributed calls its layer on every step of a sequence, whether or not the number of steps is known when
#   TensorFlow traces the function; it is not known if `fit` gets a dataset with sequences of several lengths.
# Seen, keras 3.15.1 on tensorflow-cpu 2.21.0: traced for an unknown number of steps, it takes the number of rows of the
#   batch for the number of steps. For two videos of five steps, three steps are silently lost. A batch normalization in
#   it updates its moving statistics once, with the statistics of the first step alone: at momentum 0, frames whose means
#   are 10, 20, ..., 50 leave 10 instead of 50. Keras 3.9.2 returns all steps, and has the same moving mean.
# Fails if both traces agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow-cpu==2.21.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf

brightness = 10 * np.arange(1, 6).reshape(5, 1, 1, 1)
videos = np.random.default_rng(0).normal(size=(2, 5, 8, 8, 1)) + brightness


def traced(steps):
    """Returns the shape of the outputs and the moving mean after one call in training."""
    layer = keras.layers.BatchNormalization(momentum=0.0)
    distributed = keras.layers.TimeDistributed(layer)
    distributed.build(videos.shape)
    call = tf.function(lambda x: distributed(x, training=True), autograph=False)
    function = call.get_concrete_function(tf.TensorSpec((None, steps, 8, 8, 1)))
    outputs = function(tf.constant(videos, "float32"))
    return tuple(outputs.shape), round(float(layer.moving_mean[0]))


for steps in (5, None):
    shape, mean = traced(steps)
    print(f"traced for {steps} steps: outputs {shape}, moving mean {mean}")
assert traced(5) == ((2, 5, 8, 8, 1), 50)
assert traced(None) == ((2, 2, 8, 8, 1), 10)
PYTHON
