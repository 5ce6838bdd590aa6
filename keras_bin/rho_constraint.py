"""The constraint that is set on rho: the user's own, with a check of the optimizer's steps."""

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from keras_bin.keras_internals import outermost_layer
from keras_bin.unscaled import warn_of_unscaled_rho


class RhoConstraint(keras.constraints.Constraint):
    """Applies another constraint, and warns if an optimizer's step of rho was not scaled.

    Keras's optimizers call the constraint of each variable that they have changed, on every
    backend and in every kind of loop. This one also marks its variable as a rho.

    Args:
        constraint: the layer's own `rho_constraint`, or None.
    """

    def __init__(self, constraint: Callable[[Any], Any] | None):
        self._constraint = constraint
        self._outermost: weakref.ref[keras.layers.Layer] | None = None
        # A count, as several replicas of a `tf.distribute` strategy may be in a step at once.
        self._scaled_steps = 0

    def __call__(self, w: Any) -> Any:
        """Returns the result of the other constraint for `w`."""
        if not self._scaled_steps:
            warn_of_unscaled_rho(self._outermost and self._outermost(), self)
        return w if self._constraint is None else self._constraint(w)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles the constraint alone: a copy belongs to another model."""
        return type(self), (self._constraint,)

    def note_call(self) -> None:
        """Records the outermost layer that is being called, which names the model."""
        layer = outermost_layer()
        self._outermost = None if layer is None else weakref.ref(layer)

    @contextlib.contextmanager
    def scaled(self) -> Iterator[None]:
        """Marks the steps taken in a `with` block as scaled."""
        self._scaled_steps += 1
        try:
            yield
        finally:
            self._scaled_steps -= 1


def is_rho(variable: Any) -> bool:
    """Tells whether a variable is the rho of a BIN layer."""
    return isinstance(getattr(variable, "constraint", None), RhoConstraint)


def note_call(rho: keras.Variable) -> None:
    """Records the model that is being called, and marks a rho whose constraint was replaced."""
    if not is_rho(rho):
        rho.constraint = RhoConstraint(rho.constraint)
    rho.constraint.note_call()


@contextlib.contextmanager
def scaled_steps(rhos: Iterable[keras.Variable]) -> Iterator[None]:
    """Marks the steps that rhos take in a `with` block as scaled."""
    with contextlib.ExitStack() as stack:
        for rho in rhos:
            stack.enter_context(rho.constraint.scaled())
        yield
