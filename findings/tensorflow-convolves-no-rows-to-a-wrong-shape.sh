#!/usr/bin/env bash
# Guess: a convolution of a batch without rows, which a replica gets if a batch does not divide evenly, returns no rows
#   of the shape that its other outputs have: (0, 4, 4, 8) for inputs of (0, 6, 6, 3), kernels of 3x3 and 8 filters.
# Seen, tensorflow 2.21.0 (keras 3.15.1) on an x86 processor with oneDNN's kernels: the result has the shape of the
#   inputs, (0, 6, 6, 3), eagerly and in a tf.function, though the trace promises (None, 4, 4, 8). A normalization after
#   it in training then raises "Incompatible shapes: [8] vs. [3]". With TF_ENABLE_ONEDNN_OPTS=0 all shapes are right.
# Fails if oneDNN's shape is right, if the normalization accepts it, or if the shape without oneDNN is wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
cat > program.py <<'PYTHON'
import sys

import keras
import tensorflow as tf

inputs = keras.Input((6, 6, 3))
convolved = keras.layers.Conv2D(8, 3, use_bias=False)(inputs)
convolution = keras.Model(inputs, convolved)
normalized = keras.Model(inputs, keras.layers.BatchNormalization()(convolved))
no_rows = tf.zeros((0, 6, 6, 3))
traced = tf.function(convolution, input_signature=[tf.TensorSpec((None, 6, 6, 3))])
shapes = [tuple(function(no_rows).shape) for function in (convolution, traced)]
train = tf.function(
    lambda x: normalized(x, training=True), input_signature=[tf.TensorSpec((None, 6, 6, 3))]
)
try:
    train(no_rows)
    said = ""
except tf.errors.InvalidArgumentError as error:
    said = error.message.splitlines()[0]
print(f"oneDNN {sys.argv[1]}: promised {traced.get_concrete_function().output_shapes}, got {shapes}")
print(f"training: {said or 'works'}")
right = [(0, 4, 4, 8)] * 2
if sys.argv[1] == "on":
    assert shapes == [(0, 6, 6, 3)] * 2 and "Incompatible shapes" in said
else:
    assert shapes == right and not said
PYTHON
export TF_CPP_MIN_LOG_LEVEL=3
TF_ENABLE_ONEDNN_OPTS=1 "$folder/venv/bin/python" program.py on
TF_ENABLE_ONEDNN_OPTS=0 "$folder/venv/bin/python" program.py off
