"""What replaces a layer in a folded model; each makes a new layer and sets its weights."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.networks.copying import Copier

from .constants import Constants
from .linear_layers import absorbed


class Folded(NamedTuple):
    """A `FoldedBatchInstanceNormalization`, which replaces a normalization layer."""

    constants: Constants
    runtime: str

    def new(self, layer: keras.layers.Layer, copier: Copier) -> keras.layers.Layer:
        """Makes the layer, still without weights."""
        return FoldedBatchInstanceNormalization(
            axis=layer.axis,
            epsilon=layer.epsilon,
            batch=self.constants.scale is not None,
            instance=not self.constants.affine,
            centered=self.constants.mean is None and not self.constants.affine,
            runtime=self.runtime,
            name=layer.name,
            dtype=copier.dtype(layer),
        )

    def set_weights(self, layer: keras.layers.Layer, new: keras.layers.Layer) -> None:
        """Sets the constants."""
        new.set_weights([value for value in self.constants if value is not None])


class Absorbed(NamedTuple):
    """Nothing, or an `Identity` that keeps the name of an output: the layer was absorbed."""

    is_output: bool

    def new(self, layer: keras.layers.Layer, copier: Copier) -> Callable:
        """Makes a function of the inputs and of whatever else the layer is called with."""
        if not self.is_output:
            return lambda inputs, *_args, **_kwargs: inputs
        identity = keras.layers.Identity(name=layer.name, dtype=copier.dtype(layer))
        return lambda inputs, *_args, **_kwargs: identity(inputs)

    def set_weights(self, layer: keras.layers.Layer, new: Callable) -> None:
        """Sets nothing: there are no weights."""


class Absorbing(NamedTuple):
    """A copy of a linear layer that computes `scale * layer(x) + offset`, both per channel."""

    scale: np.ndarray
    offset: np.ndarray

    def then(self, scale: np.ndarray, offset: np.ndarray) -> "Absorbing":
        """Returns what absorbs a further affine map of the result."""
        return Absorbing(self.scale * scale, self.offset * scale + offset)

    def new(self, layer: keras.layers.Layer, copier: Copier) -> keras.layers.Layer:
        """Makes a layer that has a bias."""
        if layer.bias is None:
            return copier.rebuilt(layer, {**copier.config(layer), "use_bias": True})
        return copier.copied(layer)

    def set_weights(self, layer: keras.layers.Layer, new: keras.layers.Layer) -> None:
        """Sets the weights that the affine map changes, and those that it does not."""
        for name, value in absorbed(layer, self.scale, self.offset).items():
            getattr(new, name).assign(value)
