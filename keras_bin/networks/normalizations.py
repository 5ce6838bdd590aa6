"""Which layers normalize with moving statistics, and which of them can become constants."""

import keras

from keras_bin.layer import BatchInstanceNormalization
from keras_bin.networks.graph import layers_of_graphs

NORMALIZATIONS = (BatchInstanceNormalization, keras.layers.BatchNormalization)
OVERRIDDEN_CALL = "it overrides `call`, so it stays as it is"


def is_foldable(layer: keras.layers.Layer) -> bool:
    """Tells whether `layer` is a built normalization layer that does not override `call`."""
    base = next((kind for kind in NORMALIZATIONS if isinstance(layer, kind)), None)
    overrides = base is None or type(layer).call is not base.call or "call" in vars(layer)
    return layer.built and not overrides


def normalizations_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the normalization layers that are called in a graph, each once, in order."""
    found = {
        id(layer): layer for layer in layers_of_graphs(model) if isinstance(layer, NORMALIZATIONS)
    }
    return list(found.values())
