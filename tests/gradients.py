"""Gradients on the backend of the process: what a tape, `jax.grad` or autograd gives."""

from collections.abc import Callable

import keras
import pytest
from keras import ops

BACKEND = keras.backend.backend()
WAYS = {"tensorflow": ("eager", "tf.function", "xla"), "jax": ("eager", "jit"), "torch": ("eager",)}
EVERY_WAY = pytest.mark.parametrize("way", WAYS[BACKEND])
COMPILED = WAYS[BACKEND][-1]
# JAX compiles each operation for itself where it does not compile the whole.
QUICKEST = "jit" if BACKEND == "jax" else "eager"

_running = []  # the functions that PyTorch is differentiating


def differentiated(function, variables=(), state=(), way=QUICKEST) -> Callable:
    """Makes a function that differentiates another by its arguments and by Keras variables.

    Args:
        function: takes tensors, and returns a loss and any structure of other tensors. It may
            differentiate another function in turn.
        variables: the Keras variables to differentiate by.
        state: other Keras variables that `function` reads or assigns to.
        way: how to run it, one of `WAYS` of the backend.

    Returns:
        A function of the arguments, as arrays or tensors. It returns what `function` returns
        besides the loss, and a list of gradients: those by the arguments first.
    """
    differentiate = {"tensorflow": _by_tape, "jax": _by_jax, "torch": _by_autograd}[BACKEND]
    call = differentiate(function, list(variables), list(state), way)
    return lambda *arguments: call(list(map(ops.convert_to_tensor, arguments)))


def sin(x):
    """The sine by the backend itself: that of Keras 3.15 is in float32 on JAX."""
    if BACKEND == "torch":
        import torch

        return torch.sin(x)
    if BACKEND == "jax":
        from jax import numpy as jnp

        return jnp.sin(x)
    return ops.sin(x)


def _by_tape(function, variables, _state, way):
    import tensorflow as tf

    def compute(arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            loss, others = function(*arguments)
        return others, tape.gradient(loss, [*arguments, *(each.value for each in variables)])

    return compute if way == "eager" else tf.function(compute, jit_compile=way == "xla")


def _by_jax(function, variables, state, way):
    import jax

    def pure(arguments, values, held):
        mapping = list(zip([*variables, *state], [*values, *held], strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            loss, others = function(*arguments)
        return loss, (others, [scope.get_current_value(variable) for variable in state])

    gradient = jax.grad(pure, (0, 1), has_aux=True)
    gradient = gradient if way == "eager" else jax.jit(gradient)

    def compute(arguments):
        values = ([variable.value for variable in each] for each in (variables, state))
        found, (others, after) = gradient(arguments, *values)
        for variable, value in zip(state, after, strict=True):
            variable.assign(value)
        return others, [*found[0], *found[1]]

    return compute


def _by_autograd(function, variables, _state, _way):
    import torch

    def compute(arguments):
        arguments = [each if each.requires_grad else each.requires_grad_() for each in arguments]
        _running.append(function)
        try:
            loss, others = function(*arguments)
        finally:
            _running.pop()
        sources = [*arguments, *(variable.value for variable in variables)]
        # What is inside of another is differentiated again.
        return others, torch.autograd.grad(loss, sources, create_graph=bool(_running))

    return compute
