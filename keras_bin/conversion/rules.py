"""Which normalization layers can be converted, and why others cannot."""

import inspect

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.conversion.replacements import TO_BATCH_NORMALIZATION, TO_BIN
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.networks.graph import methods_set_on

_CONFIG_METHODS = ("get_config", "from_config")
NO_SPATIAL_AXIS = "its inputs have no spatial axis"
_NOT_BUILT = "it is not built; call the model in a way that reaches it first"


def why_not_bin(layer: keras.layers.BatchNormalization) -> str:
    """Tells why a batch normalization layer cannot become BIN, or returns an empty string."""
    if not layer.built:
        return _NOT_BUILT
    methods = own_methods(layer, keras.layers.BatchNormalization)
    if methods:
        return f"it overrides {_listed(methods)}"
    if getattr(layer, "renorm", False):  # not in Keras 3.9
        return "batch renormalization (`renorm=True`) has no counterpart in BIN"
    rank = layer.input_spec.ndim
    if rank < 3:
        return NO_SPATIAL_AXIS
    if layer.axis % rank == 0:
        return "its channels are on the batch axis"
    try:
        TO_BIN.new(layer)
    except ValueError as error:
        return f"BatchInstanceNormalization does not accept its arguments: {error}"
    return ""


def why_not_batch_normalization(layer: BatchInstanceNormalization) -> str:
    """Tells why a BIN layer cannot become batch normalization, or returns an empty string."""
    if not layer.built:
        return _NOT_BUILT
    methods = own_methods(layer, BatchInstanceNormalization)
    if methods:
        return f"it overrides {_listed(methods)}"
    rho = array(layer.rho)
    below = np.count_nonzero(rho != 1)
    if below:
        return f"rho is not 1 in {below} of {rho.size} channels"
    try:
        TO_BATCH_NORMALIZATION.new(layer)  # which Keras synchronizes on TensorFlow only
    except ValueError as error:
        return f"BatchNormalization does not accept its arguments: {error}"
    return ""


def own_methods(layer: keras.layers.Layer, base: type) -> list[str]:
    """Returns the methods of a layer that override those of `base` or add to them.

    A constructor and config methods do not count: they determine the arguments, not what the layer
    does with them.
    """
    kinds, known = inspect.getmro(type(layer)), inspect.getmro(base)
    found = [
        name
        for kind in kinds
        if kind not in known
        for name, value in vars(kind).items()
        if (callable(value) or isinstance(value, (property, classmethod, staticmethod)))
        and name not in _CONFIG_METHODS
        and (name == "__call__" or not name.startswith("__"))
    ]
    return sorted({*found, *methods_set_on(layer)})


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
