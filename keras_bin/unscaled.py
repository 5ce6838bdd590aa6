"""The warning about training that does not scale the optimizer's steps of rho."""

import warnings
import weakref
from typing import Any

import keras

from keras_bin.keras_internals import Functional, layers_inside

# Models, and constraints of rhos whose model is gone or unknown.
_warned: weakref.WeakSet[Any] = weakref.WeakSet()


class UnscaledRhoWarning(UserWarning):
    """rho is trained without its tenfold step, a tenth as fast as in the paper.

    The optimizer's weight decay then applies to rho, too. The warning is given once per model, at
    the first step of training, unless a `keras_bin.BINModel` trains, or
    `keras_bin.apply_gradients` or `keras_bin.stateless_apply` is called.

    Example:
    If this is intended, silence the warning:
    >>> import warnings, keras_bin
    >>> warnings.filterwarnings("ignore", category=keras_bin.UnscaledRhoWarning)
    """


def warn_of_unscaled_rho(outermost: keras.layers.Layer | None, constraint: Any) -> None:
    """Warns, once per model, that an optimizer's step of rho was not scaled.

    Args:
        outermost: the outermost layer or model of the last call in which rho took part.
        constraint: the constraint of that rho; without a model, it is warned about once.
    """
    trained = constraint if outermost is None else outermost
    if trained in _warned:
        return
    _warned.add(trained)
    warnings.warn(
        "rho is trained without its tenfold step: it learns a tenth as fast as in the paper, and "
        f"the optimizer's weight decay applies to it. {_remedy(outermost)} If this is intended, "
        'use warnings.filterwarnings("ignore", category=keras_bin.UnscaledRhoWarning). '
        f"Received: {_described(outermost)}",
        UnscaledRhoWarning,
        stacklevel=3,
    )


def _remedy(outermost: keras.layers.Layer | None) -> str:
    on_jax = keras.backend.backend() == "jax"
    function = _FUNCTIONS[on_jax]
    if on_jax:  # where Keras runs `call` of the model itself, so the outermost layer may be inside
        return (
            "Train a `keras_bin.BINModel` by its own `train_step`: "
            "`keras_bin.BINModel.from_model(model)` is one that shares the layers. In a custom "
            f"training loop, {function}."
        )
    if not isinstance(outermost, keras.Model):
        return f"In a custom training loop, {function}."
    name = type(outermost).__name__
    own_step = type(outermost).train_step is not keras.Model.train_step
    if _is_bin_model(outermost):
        return (
            "A BINModel scales the steps of its own `train_step` only: let yours call "
            f"`super().train_step`, or, in a custom training loop, {function}."
        )
    if own_step:
        return f"In the `train_step` of {name}, {function}."
    if not outermost.compiled:
        return f"In a custom training loop, {function}."
    nested = any(map(_is_bin_model, layers_inside(outermost)))
    return (
        f"{'The BINModel inside does not train here. ' if nested else ''}Train "
        "`keras_bin.BINModel.from_model(model)` instead, which shares the layers"
        f"{'' if _has_graph(outermost) else f', or make BINModel the base class of {name}'}; in a "
        f"custom training loop, {function}."
    )


# Without and with JAX's transformations.
_FUNCTIONS = (
    "call `keras_bin.apply_gradients(optimizer, zip(gradients, variables))` instead of "
    "`optimizer.apply_gradients`",
    "call `keras_bin.stateless_apply(optimizer, optimizer_variables, gradients, "
    "trainable_variables)` instead of `optimizer.stateless_apply`",
)


def _is_bin_model(layer: keras.layers.Layer) -> bool:
    return hasattr(layer, "rho_gradient_scale")


def _has_graph(model: keras.Model) -> bool:
    return isinstance(model, (Functional, keras.Sequential))


def _described(layer: keras.layers.Layer | None) -> str:
    if layer is None:
        return "a rho outside of any model"
    kind = "model" if isinstance(layer, keras.Model) else "layer"
    return f"{kind}={layer.name!r} of class {type(layer).__name__}"
