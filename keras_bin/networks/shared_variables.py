"""Variables that are used outside their layer: by other layers, or by operations of the graph."""

from collections import Counter
from collections.abc import Iterable

import keras

from keras_bin.keras_internals import all_layers, own_variables


def variables_of_several_layers(model: keras.layers.Layer) -> set[int]:
    """Returns the `id` of each variable that belongs to more than one layer of a model."""
    owners = Counter(
        id(variable) for layer in all_layers(model) for variable in own_variables(layer)
    )
    return {variable for variable, count in owners.items() if count > 1}


def holds(layer: keras.layers.Layer, variables: Iterable[int]) -> bool:
    """Tells whether a layer, or one inside it, has any of the variables, given by `id`."""
    wanted = set(variables)
    return any(
        id(variable) in wanted for each in all_layers(layer) for variable in own_variables(each)
    )


def copied_variable(
    variable: keras.Variable, layer: keras.layers.Layer, new: keras.layers.Layer
) -> keras.Variable | None:
    """Returns the counterpart of a layer's variable in a copy of the layer.

    Args:
        variable: belongs to `layer`, or to a layer inside it.
        layer: the original.
        new: its copy, built; of the same class, or with attributes of the same names.
    """
    sources, targets = all_layers(layer), all_layers(new)
    for source, target in zip(sources, targets, strict=True):
        for index, own in enumerate(own_variables(source)):
            if own is variable and type(source) is type(target):
                return own_variables(target)[index]
            if own is variable:
                return getattr(target, own.name, None)
    return None
