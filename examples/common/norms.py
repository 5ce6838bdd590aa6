"""The normalizations that the examples compare."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import keras
from keras import ops

import keras_bin

# Keras's 0.99 averages over about 100 steps: more than two epochs of digits, during which the
# weights change.
MOMENTUM = 0.9

Place = Literal["first", "block", "other"]


@keras.saving.register_keras_serializable(package="keras_bin_examples")
class FixedMix(keras_bin.BatchInstanceNormalization):
    """A BIN layer whose rho keeps its initial value."""

    def build(self, input_shape):
        """Creates the weights of a BIN layer, and makes rho non-trainable."""
        super().build(input_shape)
        self.rho.trainable = False


@keras.saving.register_keras_serializable(package="keras_bin_examples")
class HalfInstance(keras.initializers.Initializer):
    """Gates of 0 for the first half of the channels, and of 1 for the others."""

    def __call__(self, shape, dtype=None):
        """Returns gates of shape `(channels,)`."""
        return ops.cast(ops.arange(shape[0]) >= shape[0] // 2, dtype or keras.config.floatx())


class Norm(NamedTuple):
    """Normalizations for the places of a net, and the model that trains them.

    Attributes:
        layer: makes a layer from the keyword arguments that all share: `name`,
            `epsilon`, the initializers and regularizers of `gamma` and `beta`.
        model_class: makes a model from inputs and outputs: `keras.Model`, or `keras_bin.BINModel`
            if rho learns.
        places: what makes the layer at places that do not use `layer`: "first" is the first
            normalization of a net, "block" the first of each residual block.
        settles: whether `keras_bin.SettleRho` settles gates while the net trains.
    """

    layer: Callable[..., keras.layers.Layer]
    model_class: Callable[..., keras.Model]
    places: Mapping[Place, Callable[..., keras.layers.Layer]] = MappingProxyType({})
    settles: bool = False

    def at(self, place: Place) -> Callable[..., keras.layers.Layer]:
        """Returns what makes the layer at a place."""
        return self.places.get(place, self.layer)


_BN = functools.partial(keras.layers.BatchNormalization, momentum=MOMENTUM)
UNSCALED = "BIN unscaled"


def _fixed(rho):
    return functools.partial(FixedMix, rho_initializer=rho, momentum=MOMENTUM)


def learning_norms(rho: float = 1.0) -> dict[str, Norm]:
    """Returns the normalizations whose rho learns, starting at a given value.

    In "BIN unscaled", rho takes steps as long as those of the other weights.
    """
    layer = functools.partial(
        keras_bin.BatchInstanceNormalization, rho_initializer=rho, momentum=MOMENTUM
    )
    unscaled = functools.partial(keras_bin.BINModel, rho_gradient_scale=1.0)
    return {
        "BIN": Norm(layer, keras_bin.BINModel),
        UNSCALED: Norm(layer, unscaled),
        "BIN first": Norm(_BN, keras_bin.BINModel, {"first": layer}),
    }


# The same in every layer of a net.
NORMS = {
    "BN": Norm(_BN, keras.Model),
    "IN": Norm(_fixed(0.0), keras.Model),
    "BN+IN": Norm(_fixed(0.5), keras.Model),
    "BIN": learning_norms()["BIN"],
}
# At places that somebody chose. IBN-Net is IBN-a of Pan et al. 2018,
# https://arxiv.org/abs/1807.09441, who leave out the last stage.
PLACED_NORMS = {
    "IN first": Norm(_BN, keras.Model, {"first": _fixed(0.0)}),
    "BIN first": learning_norms()["BIN first"],
    "IBN-Net": Norm(_BN, keras.Model, {"block": _fixed(HalfInstance())}),
}
# For comparison when served: only the first layer, chosen by hand, and the place that settling
# finds.
SETTLED = "BIN settled"
SERVED_NORMS = {
    "BN+IN first": Norm(_BN, keras.Model, {"first": _fixed(0.5)}),
    SETTLED: learning_norms(0.5)["BIN"]._replace(settles=True),
}
ALL_NORMS = {**NORMS, UNSCALED: learning_norms()[UNSCALED], **PLACED_NORMS}
# Those whose mixture of batch and instance normalization is fixed.
FIXED_NORMS = [norm for norm, made in ALL_NORMS.items() if made.model_class is keras.Model]
