"""A custom training loop on TensorFlow: GradientTape, and rho's tenfold step.

    python examples/loops/gradient_tape.py

The loop is that of a plain Keras model, except for one line: `keras_bin.apply_gradients(optimizer,
pairs)` replaces `optimizer.apply_gradients(pairs)`.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from digits import EPOCHS, batches, build_net, load, report

import keras_bin

images, labels = load()
net = build_net()
optimizer = keras.optimizers.AdamW(2e-3, weight_decay=0.01)
optimizer.build(net.trainable_variables)  # else TensorFlow traces the first step twice
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def train_step(images, labels):
    """Takes a step, and returns the loss."""
    with tf.GradientTape() as tape:
        loss = loss_of(labels, net(images, training=True))
    variables = net.trainable_variables
    gradients = tape.gradient(loss, variables)
    keras_bin.apply_gradients(optimizer, zip(gradients, variables, strict=True))
    return loss


for epoch in range(1, EPOCHS + 1):
    losses = [train_step(*map(tf.constant, batch)) for batch in batches(images, labels, epoch)]
    report(epoch, sum(map(float, losses)) / len(losses), net, images, labels)
