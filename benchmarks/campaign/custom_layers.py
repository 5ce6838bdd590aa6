"""Custom layers as users write them: what they hold, where, and what their config omits."""

import keras
from keras import layers, ops

from keras_bin import BatchInstanceNormalization

register = keras.saving.register_keras_serializable("campaign")


class Block(layers.Layer):
    """A convolution, BIN, and a leaky ReLU, held in attributes.

    Args:
        filters: those of the convolution.
        rank: number of spatial axes.
        slope: of the leaky ReLU.
        **named: arguments of every layer.
    """

    def __init__(self, filters, rank=2, slope=0.1, **named):
        super().__init__(**named)
        self.filters, self.rank, self.slope = filters, rank, slope
        self.hold(self.convolution(), BatchInstanceNormalization())

    def hold(self, conv: layers.Layer, norm: layers.Layer) -> None:
        """Keeps the layers."""
        self.conv, self.norm = conv, norm

    def parts(self) -> tuple[layers.Layer, layers.Layer]:
        """Finds the layers."""
        return self.conv, self.norm

    def convolution(self) -> layers.Layer:
        """Makes the convolution."""
        kind = getattr(layers, f"Conv{self.rank}D")
        return kind(self.filters, 3, padding="same", use_bias=False)

    def build(self, shape):
        """Builds what it holds."""
        conv, norm = self.parts()
        conv.build(shape)
        norm.build((*shape[:-1], self.filters))

    def call(self, x, training=None):
        """Convolves, normalizes and activates."""
        conv, norm = self.parts()
        return ops.leaky_relu(norm(conv(x), training=training), self.slope)

    def compute_output_shape(self, shape):
        """Keeps sizes."""
        return (*shape[:-1], self.filters)

    def get_config(self):
        """Returns all arguments."""
        own = {"filters": self.filters, "rank": self.rank, "slope": self.slope}
        return {**super().get_config(), **own}


@register
class InAttributes(Block):
    """Holds its layers in attributes."""


@register
class InDict(Block):
    """Holds its layers in a dict."""

    def hold(self, conv, norm):
        """Keeps the layers."""
        self.held = {"conv": conv, "norm": norm}

    def parts(self):
        """Finds the layers."""
        return self.held["conv"], self.held["norm"]


@register
class InPrivateTuple(Block):
    """Holds its layers in a private tuple."""

    def hold(self, conv, norm):
        """Keeps the layers."""
        self._held = (conv, norm)

    def parts(self):
        """Finds the layers."""
        return self._held


@register
class InPrivateAttributes(Block):
    """Holds its layers in private attributes."""

    def hold(self, conv, norm):
        """Keeps the layers."""
        self._conv, self._norm = conv, norm

    def parts(self):
        """Finds the layers."""
        return self._conv, self._norm


@register
class MadeInBuild(Block):
    """Makes its layers when it is built, in a list."""

    def hold(self, conv, norm):
        """Makes an empty list."""
        self.held = []

    def build(self, shape):
        """Makes the layers."""
        self.held += [self.convolution(), BatchInstanceNormalization()]
        super().build(shape)

    def parts(self):
        """Finds the layers."""
        return self.held


@register
class UnderTwoNames(Block):
    """Holds one BIN layer in an attribute and in a dict, and calls both."""

    def hold(self, conv, norm):
        """Keeps the layers."""
        super().hold(conv, norm)
        self.again = {"norm": norm}

    def call(self, x, training=None):
        """Normalizes twice."""
        return self.again["norm"](super().call(x, training=training), training=training)


@register
class Forgetful(Block):
    """Has a config that forgets the slope."""

    def get_config(self):
        """Returns some arguments."""
        config = super().get_config()
        del config["slope"]
        return config


@register
class Replaced(Block):
    """Is made with BN, which its user replaces with BIN."""

    def hold(self, conv, norm):
        """Keeps the layers."""
        self.conv, self.norm = conv, layers.BatchNormalization()


@register
class InTraining(Block):
    """Normalizes with the statistics of the batch, always."""

    def call(self, x, training=None):
        """Convolves, normalizes and activates."""
        return super().call(x, training=True)


@register
class Rebuilt(Block):
    """Has no config of its own, like layers that were never meant to be saved."""

    def get_config(self):
        """Returns what every layer returns."""
        return layers.Layer.get_config(self)


OWN = (
    InAttributes,
    InDict,
    InPrivateTuple,
    InPrivateAttributes,
    MadeInBuild,
    UnderTwoNames,
    Forgetful,
    Replaced,
    InTraining,
    Rebuilt,
)
