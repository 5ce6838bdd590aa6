"""Custom models as users write them: subclasses of BINModel that are built by a call."""

import keras
from keras import layers, ops

from benchmarks.campaign.custom_layers import InAttributes, InDict, InPrivateTuple
from benchmarks.campaign.draw import Draw
from keras_bin import BatchInstanceNormalization, BINModel


class Sloped(BINModel):
    """A convolution, BIN and a leaky ReLU, whose slope is an argument."""

    def __init__(self, slope=0.1, filters=4, **named):
        super().__init__(**named)
        self.slope = slope
        self.conv = layers.Conv2D(filters, 3)
        self.norm = BatchInstanceNormalization()

    def call(self, x, training=None):
        """Computes an image."""
        return ops.leaky_relu(self.norm(self.conv(x), training=training), self.slope)


class Deep(BINModel):
    """As many blocks as an argument says, in a list, and a head."""

    def __init__(self, depth=1, block=InAttributes, **named):
        super().__init__(**named)
        self.blocks = [block(4 * (1 + index % 2)) for index in range(depth)]
        self.head = layers.Dense(3)

    def call(self, x, training=None):
        """Computes logits."""
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(ops.mean(x, axis=(1, 2)))


class Switched(BINModel):
    """Adds its input if a switch is on, which is set after the model is made."""

    residual = False
    gain = 1.0

    def __init__(self, **named):
        super().__init__(**named)
        self.held = {"norm": BatchInstanceNormalization(epsilon=1e-5)}
        self.conv = layers.Conv2D(3, 3, padding="same", use_bias=False)

    def call(self, x, training=None):
        """Computes an image of three channels."""
        y = self.gain * ops.silu(self.held["norm"](self.conv(x), training=training))
        return {"image": x + y if self.residual else y, "mean": ops.mean(y, axis=(1, 2))}


def own_model(draw: Draw) -> keras.Model:
    """Draws a subclassed model for images of three channels, not yet called."""
    kind = draw.of("sloped", "deep", "switched")
    draw.note(f"subclassed, {kind}")
    match kind:
        case "sloped":
            return Sloped(slope=draw.of(0.9, 0.5, 0.1), filters=draw.of(4, 8))
        case "deep":
            block = draw.of(InAttributes, InDict, InPrivateTuple)
            draw.note(block.__name__)
            return Deep(depth=draw.between(2, 3), block=block)
    model = Switched()
    model.residual, model.gain = draw.chance(0.7), draw.of(0.5, 2.0)
    return model
