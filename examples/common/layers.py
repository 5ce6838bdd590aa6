"""The layers of residual and related nets, with the settings of BIN's authors."""

from typing import NamedTuple

import keras

from common.norms import Norm, Place


class Layers(NamedTuple):
    """Makes convolutions, normalizations and logits that share one recipe.

    Attributes:
        norm: makes the normalization layers.
        weight_decay: decay of every weight but rho, per step and learning rate, as part of the
            gradient, so momentum and learning rate act on it.

    Source: the defaults of https://github.com/hyseob/Batch-Instance-Normalization, where
    epsilon is 1e-5 and convolutions start from a normal distribution of variance
    `2 / (kernel_size**2 * filters)`.
    """

    norm: Norm
    weight_decay: float = 0.0

    def convolve(
        self,
        x,
        filters: int,
        size: int,
        strides: int = 1,
        groups: int = 1,
        use_bias: bool = False,
    ):
        """Convolves; an odd `size` keeps the shape, apart from the strides."""
        if size > 1:
            x = keras.layers.ZeroPadding2D(size // 2)(x)
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            groups=groups,
            use_bias=use_bias,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_out", "untruncated_normal"
            ),
            kernel_regularizer=self._decay(),
            bias_regularizer=self._decay() if use_bias else None,
        )(x)

    def normalize(self, x, place: Place = "other"):
        """Normalizes over the last axis, as the place in the net requires."""
        return self.norm.at(place)(
            epsilon=1e-5, gamma_regularizer=self._decay(), beta_regularizer=self._decay()
        )(x)

    def activate(self, x, place: Place = "other"):
        """Normalizes, and sets negative values to zero."""
        return keras.layers.ReLU()(self.normalize(x, place))

    def logits(self, x, classes: int, name: str = "logits"):
        """Averages over space, and maps to logits."""
        return keras.layers.Dense(
            classes, kernel_regularizer=self._decay(), bias_regularizer=self._decay(), name=name
        )(keras.layers.GlobalAveragePooling2D()(x))

    def _decay(self):
        return keras.regularizers.L2(self.weight_decay / 2) if self.weight_decay else None
