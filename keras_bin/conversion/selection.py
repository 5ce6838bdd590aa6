"""Which layers the user selects, and the gates they start with."""

import fnmatch
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

FIRST = "first"

Where = str | Callable[[keras.layers.Layer], bool] | None
Rho = ArrayLike | Callable[..., ArrayLike]


def check_where(where: Where) -> None:
    """Checks the type of `where`.

    Raises:
        TypeError: it is neither a name pattern nor a function, nor None.
    """
    if not (where is None or isinstance(where, str) or callable(where)):
        raise TypeError(
            "`where` must be a name pattern such as 'stage1_*', the word 'first', a function of a "
            f"layer, or None for all layers. Received: where={where!r}"
        )


def is_selected(layer: keras.layers.Layer, where: Where) -> bool:
    """Tells whether a name pattern, other than `"first"`, or a function selects a layer."""
    if where is None:
        return True
    if isinstance(where, str):
        return any(fnmatch.fnmatchcase(name, where) for name in (layer.name, layer.path))
    return bool(where(layer))


def gates_for(layers: Sequence[keras.layers.Layer], rho: Rho) -> dict[int, NDArray[np.float64]]:
    """Returns the gates that each layer starts with, by the `id` of the layer.

    Args:
        layers: the layers to convert, in the order of computation.
        rho: see `convert_batch_normalization`.

    Raises:
        ValueError: a gate is outside [0, 1], or there is not one for each channel.
    """
    last = max(len(layers) - 1, 1)
    return {
        id(layer): _checked(layer, _value(layer, rho, depth=index / last))
        for index, layer in enumerate(layers)
    }


def _value(layer: keras.layers.Layer, rho: Rho, depth: float) -> Any:
    if not callable(rho) or isinstance(rho, keras.initializers.Initializer):
        return rho
    return rho(layer, depth) if _takes_depth(rho) else rho(layer)


def _takes_depth(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    needed = [
        each
        for each in parameters
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) > 1


def _checked(layer: keras.layers.Layer, rho: Any) -> NDArray[np.float64]:
    try:
        gates = np.array(np.nan) if isinstance(rho, str) else np.asarray(rho, "float64")
    except (TypeError, ValueError):
        gates = np.array(np.nan)
    channels = layer.moving_mean.shape[0]
    if gates.shape not in ((), (channels,)) or not ((gates >= 0) & (gates <= 1)).all():
        raise ValueError(
            "`rho` must be a number from 0 (instance normalization) to 1 (batch normalization), an "
            "array with one for each channel, or a function of a layer that returns either. "
            f"Received: rho={rho!r} for layer {layer.path!r} with {channels} channels"
        )
    return gates
