"""A separate learning rate for some of an optimizer's variables."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_bin.keras_internals import STEP_OF_ALL, variable_key


def takes_own_rates(optimizer: keras.optimizers.Optimizer) -> bool:
    """Tells whether `own_rate` is right for an optimizer: for most of Keras's, never for others."""
    # Adafactor bounds the learning rate, and ScheduleFreeAdamW also steps a second iterate.
    names = ["Adafactor", "ScheduleFreeAdamW"]
    if keras.backend.backend() == "torch":
        names.append("Nadam")  # its step of all variables also counts the steps
    unfit = tuple(getattr(keras.optimizers, name, ()) for name in names)
    return type(optimizer).__module__.startswith("keras.src.") and not isinstance(optimizer, unfit)


@contextlib.contextmanager
def own_rate(
    optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable], factor: float
) -> Iterator[None]:
    """Multiplies the learning rate with which an optimizer updates variables in a `with` block."""
    keys = {variable_key(optimizer, variable) for variable in variables}
    takes_all = hasattr(optimizer, STEP_OF_ALL)
    name = STEP_OF_ALL if takes_all else "update_step"
    if name in vars(optimizer):  # another replica of a `tf.distribute` strategy is in this step
        yield
        return
    step = getattr(optimizer, name)

    def rate_of(variable: Any, learning_rate: Any) -> Any:
        longer = variable_key(optimizer, variable) in keys
        return learning_rate * factor if longer else learning_rate

    def step_of_one(gradient: Any, variable: Any, learning_rate: Any) -> None:
        step(gradient, variable, rate_of(variable, learning_rate))

    def step_of_all(gradients: Any, updated: Any, learning_rate: Any) -> None:
        for gradient, variable in zip(gradients, updated, strict=True):
            step([gradient], [variable], rate_of(variable, learning_rate))

    setattr(optimizer, name, step_of_all if takes_all else step_of_one)
    try:
        yield
    finally:
        delattr(optimizer, name)
