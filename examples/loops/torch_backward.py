"""A custom training loop on PyTorch: `backward`, and rho's tenfold step.

    python examples/loops/torch_backward.py

The loop is that of a plain Keras model, except for one line: `keras_bin.apply_gradients(optimizer,
pairs)` replaces `optimizer.apply_gradients(pairs)`. PyTorch must be installed.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from digits import EPOCHS, batches, build_net, load, report

import keras_bin

images, labels = load()
net = build_net()
optimizer = keras.optimizers.AdamW(2e-3, weight_decay=0.01)
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train_step(images, labels):
    """Takes a step, and returns the loss."""
    net.zero_grad()
    loss = loss_of(labels, net(images, training=True))
    loss.backward()
    variables = net.trainable_variables
    gradients = [variable.value.grad for variable in variables]
    with torch.no_grad():
        keras_bin.apply_gradients(optimizer, zip(gradients, variables, strict=True))
    return loss.item()


for epoch in range(1, EPOCHS + 1):
    losses = [train_step(*map(torch.tensor, batch)) for batch in batches(images, labels, epoch)]
    report(epoch, sum(losses) / len(losses), net, images, labels)
