"""Finding the BIN layers of a model, and their gates."""

import itertools
from typing import Any

import keras
from numpy.typing import NDArray

from keras_bin.arrays import float64
from keras_bin.constraint import SettledRho
from keras_bin.keras_internals import all_layers
from keras_bin.layer import BatchInstanceNormalization


def bin_layers(model: keras.layers.Layer) -> list[BatchInstanceNormalization]:
    """Returns the BIN layers of a model or layer, nested ones included, each once, in order.

    Raises:
        TypeError: `model` is neither.
    """
    if not isinstance(model, keras.layers.Layer):
        raise TypeError(
            "`model` must be a Keras model or layer; load a file with keras.saving.load_model "
            f"first. Received: {model!r} of type {type(model).__name__}"
        )
    return [layer for layer in all_layers(model) if isinstance(layer, BatchInstanceNormalization)]


def rho_weights(model: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the `rho` of every built BIN layer of a model, from input to output.

    Args:
        model: a model, or a layer that contains BIN layers.

    Returns:
        Variables of shape `(channels,)`, values in [0, 1].

    Raises:
        TypeError: `model` is neither a model nor a layer.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras_bin.BatchInstanceNormalization(name="bin")]
    ... )
    >>> [rho.path for rho in keras_bin.rho_weights(model)]
    ['sequential/bin/rho']
    """
    return [layer.rho for layer in bin_layers(model) if layer.rho is not None]


def trainable_rhos(model: keras.Model) -> list[keras.Variable]:
    """Returns those of `rho_weights` that training changes."""
    trainable = {id(variable) for variable in model.trainable_variables}
    return [
        layer.rho
        for layer in bin_layers(model)
        if id(layer.rho) in trainable and not is_settled(layer)
    ]


def is_settled(layer: BatchInstanceNormalization) -> bool:
    """Tells whether training leaves the gates of a layer where they are."""
    return isinstance(layer.rho_constraint, SettledRho)


def named_gates(model: keras.layers.Layer) -> dict[str, NDArray[Any]]:
    """Returns the gates of every built BIN layer of a model by its path, from input to output.

    Layers in two nested models may have equal paths; the second is then called `path_1`.

    Args:
        model: a model, or a layer that contains BIN layers.

    Returns:
        Copies of the gates, float64 arrays of shape `(channels,)`.

    Raises:
        TypeError: `model` is neither a model nor a layer.
    """
    gates: dict[str, NDArray[Any]] = {}
    for layer in bin_layers(model):
        if layer.rho is not None:
            numbered = (f"{layer.path}_{number}" for number in itertools.count(1))
            names = itertools.chain([layer.path], numbered)
            name = next(name for name in names if name not in gates)
            gates[name] = float64(layer.rho)
    return gates
