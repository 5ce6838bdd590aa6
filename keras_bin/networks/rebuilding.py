"""Rebuilding a layer from its config."""

import contextlib
import inspect
from typing import Any

import keras

from keras_bin.keras_internals import all_layers, lambda_output_shape
from keras_bin.networks.half_precision import global_policy
from keras_bin.networks.layer_state import copy_attributes


class CopyError(ValueError):
    """A layer cannot be copied, or its copy does not run where the layer does."""


def rebuilt(
    layer: keras.layers.Layer, config: dict[str, Any], policy: str | keras.DTypePolicy
) -> keras.layers.Layer:
    """Makes a layer with the class and name of `layer` from a config.

    Args:
        layer: the original.
        config: its config, or a changed one.
        policy: the dtype policy, for a layer whose constructor takes none.

    Raises:
        CopyError: its class cannot be made from the config.
    """
    if isinstance(layer, keras.layers.Lambda):
        # From its config a Lambda would get marshalled bytecode without its globals.
        return keras.layers.Lambda(
            layer.function,
            output_shape=lambda_output_shape(layer),
            mask=layer.mask,
            arguments=layer.arguments,
            name=layer.name,
            dtype=config["dtype"],
        )
    taken = _taken_by_constructor(layer, config)
    try:
        with global_policy(policy) if "dtype" not in taken else contextlib.nullcontext():
            new = type(layer).from_config(taken)
    except Exception as error:
        raise not_rebuildable(layer, "from_config", error) from error
    new.name = layer.name  # which the default config of Keras may lack
    for source, target in zip(all_layers(layer), all_layers(new), strict=False):
        if type(source) is type(target):
            copy_attributes(source, target)
    return new


def not_rebuildable(layer: keras.layers.Layer, method: str, error: Exception) -> CopyError:
    """Makes the error for a layer that cannot be made from a config."""
    return CopyError(
        "A layer without a bias must be rebuildable from its get_config() to get one when it "
        "absorbs a normalization layer; give it `use_bias=True`. "
        f"Received: layer {layer.name!r} of type {type(layer).__name__}, whose {method} failed "
        f"with: {error}"
    )


def _taken_by_constructor(layer, config):
    """Leaves out what Keras adds to a config but the layer's constructor does not accept."""
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    names = {parameter.name for parameter in parameters}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return config
    added = {"name", "trainable", "dtype", "activity_regularizer"} - names
    return {key: value for key, value in config.items() if key not in added}
