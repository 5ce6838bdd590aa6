"""The variables and lookup tables that a SavedModel keeps because its calls use them."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_bin.networks.state import variables_of

from ..tracing.frozen_graph import node_name


def owners(model: keras.Model, captured: Mapping[str, Any]) -> list[Any]:
    """Returns the variables and lookup tables of a model that own some resources.

    Args:
        model: the model.
        captured: the resources, by the tensors that stand for them; see `FrozenGraph`.

    Raises:
        ValueError: a resource is not held by any layer.
    """
    import tensorflow as tf

    wanted = set(map(id, captured.values()))
    # Keras keeps metrics and the states of seed generators where TensorFlow does not look for them.
    held = [variable.value for variable in variables_of(model)]
    held += tf.train.TrackableView(model).descendants()
    found = {
        id(resource): owner
        for owner in held
        if id(resource := getattr(owner, "handle", getattr(owner, "resource_handle", None)))
        in wanted
    }
    strange = [node_name(tensor) for tensor, each in captured.items() if id(each) not in found]
    if strange:
        raise ValueError(
            "Variables that calls change, and lookup tables, must be held by layers; make the "
            "variable with `add_weight`, or set it or the table as an attribute of its layer. "
            f"Received: model {model.name!r}, no layer of which holds what it uses at {strange}"
        )
    return list(found.values())
