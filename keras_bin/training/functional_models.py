"""Models made of inputs and outputs: their arguments, and their classes."""

import functools
import inspect
from typing import Any

import keras

from keras_bin.keras_internals import Functional


def check_graph_arguments(kwargs: dict[str, Any]) -> None:
    """Rejects arguments that `keras.Model(inputs, outputs)` would ignore, such as misspellings."""
    unknown = sorted(kwargs.keys() - {"inputs", "outputs", "name", "trainable"})
    if unknown:
        raise TypeError(
            "Besides inputs and outputs, a model takes `name`, `trainable` and "
            f"`rho_gradient_scale`. Received: {', '.join(unknown)}"
        )


def makes_graph(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tells whether `keras.Model` would take these arguments as inputs and outputs."""
    return len(args) == 2 or "outputs" in kwargs


@functools.cache
def functional_class(cls: Any, scale: float) -> Any:
    """Returns a subclass of a `BINModel` class, for models made of inputs and outputs.

    Its models are saved under the name of `cls`, and loaded through `cls`. `clone_model` makes a
    clone by `model.__class__(inputs, outputs, name=...)`, so the class holds the scale.

    Args:
        cls: the class, which `_base_of_functional` of the subclass holds.
        scale: the `rho_gradient_scale` of clones.
    """

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        cls.__init__(self, *args, **kwargs)
        if "rho_gradient_scale" not in kwargs:
            self.rho_gradient_scale = scale

    # Keras looks at a constructor's signature to see whether it takes inputs and outputs.
    __init__.__signature__ = inspect.signature(cls.__init__)  # type: ignore[attr-defined]
    attributes = {"__module__": cls.__module__, "__init__": __init__, "_base_of_functional": cls}
    functional = type(cls.__name__, (cls, Functional), attributes)
    package, separator, name = keras.saving.get_registered_name(cls).rpartition(">")
    if separator:
        for registered in (functional, cls):
            keras.saving.register_keras_serializable(package, name)(registered)
    return functional
