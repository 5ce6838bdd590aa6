"""A custom training loop on JAX: a compiled step without side effects, and rho's tenfold step.

    python examples/loops/jax_stateless.py

The loop is that of a plain Keras model, except for one line: `keras_bin.stateless_apply(optimizer,
...)` replaces `optimizer.stateless_apply(...)`.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
from digits import EPOCHS, batches, build_net, load, report

import keras_bin

images, labels = load()
net = build_net()
optimizer = keras.optimizers.AdamW(2e-3, weight_decay=0.01)
optimizer.build(net.trainable_variables)
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def loss_and_others(trainable, others, images, labels):
    """Returns the loss, and the values of the variables that are not trained."""
    logits, others = net.stateless_call(trainable, others, images, training=True)
    return loss_of(labels, logits), others


@jax.jit
def train_step(state, images, labels):
    """Takes a step, and returns the loss and the values of all variables."""
    trainable, others, optimizer_variables = state
    (loss, others), gradients = jax.value_and_grad(loss_and_others, has_aux=True)(
        trainable, others, images, labels
    )
    trainable, optimizer_variables = keras_bin.stateless_apply(
        optimizer, optimizer_variables, gradients, trainable
    )
    return loss, (trainable, others, optimizer_variables)


variables = (net.trainable_variables, net.non_trainable_variables, optimizer.variables)
for epoch in range(1, EPOCHS + 1):
    state = tuple([variable.value for variable in each] for each in variables)
    losses = []
    for batch in batches(images, labels, epoch):
        loss, state = train_step(state, *batch)
        losses.append(loss)
    for each, values in zip(variables, state, strict=True):
        for variable, value in zip(each, values, strict=True):
            variable.assign(value)
    report(epoch, float(sum(losses)) / len(losses), net, images, labels)
