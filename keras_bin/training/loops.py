"""Custom training loops: applying gradients with rho's steps scaled."""

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_bin.keras_internals import variables_built_with
from keras_bin.rho_constraint import is_rho
from keras_bin.traces import outside_of_trace
from keras_bin.training.rho_update import RhoUpdate


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients_and_variables: Iterable[tuple[Any, keras.Variable]],
    rho_gradient_scale: float = 10.0,
) -> Any:
    """Applies gradients as `optimizer.apply_gradients` does, with the steps of rho scaled.

    It is for custom training loops, and does what `keras_bin.BINModel` does in `fit`, for the rho
    of every BIN layer among the variables, under every Keras optimizer except Ftrl. rho moves
    `rho_gradient_scale` times as far as the optimizer would move it,

        rho = clip(start + rho_gradient_scale * (rho - start)),

    and is excluded from the optimizer's weight decay. All other variables are updated as by
    `optimizer.apply_gradients`. It works eagerly, in a `tf.function`, in the replica context of a
    `tf.distribute` strategy, and in the `train_step` of a model. With JAX's transformations, use
    `keras_bin.stateless_apply`.

    Args:
        optimizer: the Keras optimizer that updates the variables.
        gradients_and_variables: pairs of a gradient, or None, and its variable, such as
            `zip(gradients, model.trainable_variables)`.
        rho_gradient_scale: factor of rho's steps, a finite number above 0; 1 leaves them unscaled.

    Returns:
        The number of calls so far, as `optimizer.apply_gradients` returns it.

    Raises:
        TypeError: `optimizer` is not a Keras optimizer, or a variable is not a `keras.Variable`.
        ValueError: `rho_gradient_scale` is not a finite number above 0, there are no pairs, or the
            optimizer is Ftrl, which recomputes weights from accumulators, so that the next step
            undoes a scaled one.

    Example:
    >>> import keras, keras_bin, tensorflow as tf
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras_bin.BatchInstanceNormalization(),
    ...         keras.layers.Flatten(),
    ...         keras.layers.Dense(1),
    ...     ]
    ... )
    >>> optimizer = keras.optimizers.Adam(1e-3)
    >>> with tf.GradientTape() as tape:
    ...     outputs = model(keras.random.normal((4, 8, 8, 3), seed=0), training=True)
    ...     loss = keras.ops.mean(outputs**2)
    >>> gradients = tape.gradient(loss, model.trainable_variables)
    >>> calls = keras_bin.apply_gradients(optimizer, zip(gradients, model.trainable_variables))

    Source: Nam & Kim 2018, section 4.1: the learning rate of rho is ten times that of the
    other parameters. Scaling the step under optimizers that normalize gradients is our addition.
    """
    check_scale(rho_gradient_scale)
    _check_optimizer(optimizer)
    pairs = list(gradients_and_variables)
    gradients, variables = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    _check_variables(variables)
    if not pairs:  # an optimizer that is built without variables accepts none later
        raise ValueError(
            "There must be a pair of a gradient and its variable; leave the step out if nothing "
            "is trained. Received: gradients_and_variables without a pair"
        )
    update = rho_update_of(optimizer, variables, rho_gradient_scale)
    scaled = update.scale_gradients(gradients, variables)
    with update.step():
        return optimizer.apply_gradients(zip(scaled, variables, strict=True))


def stateless_apply(
    optimizer: keras.optimizers.Optimizer,
    optimizer_variables: Sequence[Any],
    gradients: Sequence[Any],
    trainable_variables: Sequence[Any],
    rho_gradient_scale: float = 10.0,
) -> tuple[list[Any], list[Any]]:
    """Does what `optimizer.stateless_apply` does, with the steps of rho scaled.

    It is `keras_bin.apply_gradients` for functions without side effects, which JAX's
    transformations need. Keras's own `stateless_apply`, which it calls, does not run on TensorFlow.

    Args:
        optimizer: a Keras optimizer, built with the model's trainable variables.
        optimizer_variables: the values of `optimizer.variables`.
        gradients: the gradients, one for each trainable variable.
        trainable_variables: the values of the variables that the optimizer was built with.
        rho_gradient_scale: factor of rho's steps, a finite number above 0; 1 leaves them unscaled.

    Returns:
        The new values of the trainable variables, and those of the optimizer's variables.

    Raises:
        TypeError: `optimizer` is not a Keras optimizer.
        ValueError: see `keras_bin.apply_gradients`; or the optimizer is not built, or was built
            with other variables than those given.

    Example:
    With JAX, for a `model`, an `optimizer` built with its trainable variables, and a function
    `loss_of` of the model's values that returns a loss and the other values:
    >>> import keras_bin
    >>> def train_step(state, images, labels):
    ...     import jax
    ...
    ...     trainable, others, optimizer_variables = state
    ...     gradient = jax.grad(loss_of, has_aux=True)
    ...     gradients, others = gradient(trainable, others, images, labels)
    ...     trainable, optimizer_variables = keras_bin.stateless_apply(
    ...         optimizer, optimizer_variables, gradients, trainable
    ...     )
    ...     return trainable, others, optimizer_variables
    """
    check_scale(rho_gradient_scale)
    _check_optimizer(optimizer)
    if not optimizer.built:
        raise ValueError(
            "The optimizer must be built; call optimizer.build(model.trainable_variables) first. "
            f"Received: optimizer={optimizer.name!r}, not built"
        )
    variables = variables_built_with(optimizer)
    _check_length("gradients", gradients, variables)
    _check_length("trainable_variables", trainable_variables, variables)
    _check_length("optimizer_variables", optimizer_variables, optimizer.variables)
    update = rho_update_of(optimizer, variables, rho_gradient_scale)
    scaled = update.scale_gradients(gradients, variables)

    def step() -> tuple[None, list[Any]]:
        new = optimizer.stateless_apply(optimizer_variables, scaled, trainable_variables)
        return None, [*new[0], *new[1]]

    _, values = update.stateless_step(
        [*variables, *optimizer.variables], [*trainable_variables, *optimizer_variables], step
    )
    return values[: len(variables)], values[len(variables) :]


def rho_update_of(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[keras.Variable],
    rho_gradient_scale: float,
) -> RhoUpdate:
    """Builds an optimizer with variables if needed, and returns the update of their rhos."""
    build(optimizer, variables)
    return RhoUpdate(optimizer, list(filter(is_rho, variables)), rho_gradient_scale)


def build(optimizer: Any, variables: Sequence[keras.Variable]) -> None:
    """Builds an optimizer with variables if needed, outside TensorFlow's traces.

    What is no optimizer is left for Keras to refuse.
    """
    if not getattr(optimizer, "built", True):
        # ScheduleFreeAdamW copies the weights when it is built. Traced, the copy would come too
        # late for the first step, which would then start from 0 instead of the weights (Keras
        # 3.15).
        with outside_of_trace():
            optimizer.build(variables)


def check_scale(scale: Any) -> None:
    """Checks the factor of rho's steps.

    Raises:
        ValueError: it is not a finite number above 0.
    """
    if not (isinstance(scale, numbers.Real) and 0 < float(scale) < math.inf):
        raise ValueError(
            "`rho_gradient_scale` must be a finite number above 0; use 1.0 to leave rho's steps "
            f"unscaled. Received: rho_gradient_scale={scale!r}"
        )


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            "`optimizer` must be a Keras optimizer, such as keras.optimizers.Adam(1e-3). With any "
            "other, give rho ten times the learning rate and no weight decay, and clip it to "
            f"[0, 1] after each step. Received: optimizer={optimizer!r}"
        )


def _check_variables(variables: Sequence[Any]) -> None:
    foreign = next((each for each in variables if not isinstance(each, keras.Variable)), None)
    if foreign is not None:
        raise TypeError(
            "Variables must be Keras variables, such as model.trainable_variables: values alone do "
            f"not tell which are rho. Received: a variable of {type(foreign)}"
        )


def _check_length(name: str, values: Sequence[Any], variables: Sequence[keras.Variable]) -> None:
    if len(values) != len(variables):
        raise ValueError(
            f"`{name}` must match the variables that the optimizer holds, or was built with, one "
            "for one. Make and build a new optimizer after weights were frozen or unfrozen. "
            f"Received: {len(values)} {name} for {len(variables)} variables"
        )
