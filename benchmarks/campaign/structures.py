"""Parts of a net that hold others: branches, shared layers, wrappers, nested models, and more."""

import keras
from keras import layers, ops

from benchmarks.campaign.custom_layers import OWN, Replaced
from benchmarks.campaign.draw import Draw
from benchmarks.campaign.operations import (
    Space,
    activation,
    convolution,
    keep_size,
    normalization,
    resize,
)
from keras_bin import BatchInstanceNormalization


def unit(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Convolves, normalizes and activates, in one order or another."""
    filters = 4 * draw.between(1, 3)

    match draw.of("usual", "usual", "usual", "before", "late", "bare"):
        case "usual":
            order = (convolution, normalization, activation)
        case "before":
            order = (normalization, activation, convolution)
        case "late":
            order = (convolution, activation, normalization)
        case _:
            order = (normalization,)
    for make in order:
        if make is convolution:
            layer = convolution(draw, space, x.shape[space.axis], filters)
        else:
            layer = make(draw, space)
        x = layer(x)
    return x


def branches(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Computes two branches, which may share a layer, and joins them."""
    filters = 4 * draw.between(1, 2)
    shared = draw.of("nothing", "nothing", "conv", "norm")
    draw.note(f"branches that share {shared}:")
    convs = [keep_size(draw, space, filters) for _ in range(2)]
    norms = [normalization(draw, space) for _ in range(2)]
    if shared == "conv":
        convs[1] = convs[0]
    if shared == "norm":
        norms[1] = norms[0]
    made = []
    for conv, norm in zip(convs, norms, strict=True):
        y = norm(conv(x))
        made.append(activation(draw, space)(y) if draw.chance(0.5) else y)
    join = draw.of("Add", "Concatenate", "Multiply", "Average", "Maximum", "+")
    draw.note(f"joined by {join}")
    if join == "+":
        return made[0] + made[1]
    named = {"axis": space.axis} if join == "Concatenate" else {}
    return getattr(layers, join)(**named)(made)


def residual(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Adds to an activation what is computed from it."""
    draw.note("residual:")
    y = keep_size(draw, space, x.shape[space.axis])(x)
    y = layers.Add()([x, normalization(draw, space)(y)])
    return activation(draw, space)(y) if draw.chance(0.6) else y


def gated(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Multiplies each channel by what is computed from all of them: squeeze and excite."""
    draw.note("squeeze and excite")
    axes = tuple(range(2, 2 + space.rank)) if space.first else tuple(range(1, 1 + space.rank))
    mean = ops.mean(x, axis=axes, keepdims=True)
    weight = space.layer("Conv{}D", x.shape[space.axis], 1, activation="sigmoid")(mean)
    return layers.Multiply()([x, weight])


def own(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Calls a layer that a user wrote."""
    kind = draw.of(*OWN)
    draw.note(kind.__name__)
    layer = kind(4 * draw.between(1, 2), rank=space.rank, slope=draw.of(0.1, 0.8))
    if kind is Replaced:
        layer.norm = BatchInstanceNormalization()
    if draw.chance(0.2):
        draw.note("slope set later")
        layer.slope = 0.6
    return layer(x)


def nested(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Calls a model, once or twice."""
    shape = x.shape[1:]
    kind, times = draw.of("Functional", "Sequential"), draw.of(1, 1, 2)
    draw.note(f"nested {kind}, {times} times:")
    parts = [keep_size(draw, space, x.shape[space.axis]), normalization(draw, space)]
    if draw.chance(0.5):
        parts.append(activation(draw, space))
    if kind == "Sequential":
        model = keras.Sequential(parts)
    else:
        inputs = keras.Input(shape)
        y = inputs
        for part in parts:
            y = part(y)
        model = keras.Model(inputs, y)
    for _ in range(times):
        x = model(x)
    return x


def shared(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Calls one layer twice in a row."""
    draw.note("twice:")
    conv = keep_size(draw, space, x.shape[space.axis])
    norm = normalization(draw, space)
    y = norm(conv(x))
    return norm(conv(y)) if draw.chance(0.5) else norm(y)


def resized(draw: Draw, space: Space, x: keras.KerasTensor) -> keras.KerasTensor:
    """Changes the size."""
    return resize(draw, space)(x)


def over_time(draw: Draw, x: keras.KerasTensor) -> keras.KerasTensor:
    """Applies layers to each image of a film, and a recurrent layer to all of them.

    Args:
        draw: decides.
        x: shape `(batch, time, height, width, channels)`.
    """
    space = Space(2)
    parts = [keep_size(draw, space, 8), normalization(draw, space), activation(draw, space)]
    if draw.chance(0.5):
        draw.note("TimeDistributed(Sequential)")
        x = layers.TimeDistributed(keras.Sequential(parts))(x)
    else:
        draw.note("TimeDistributed")
        for part in parts:
            x = layers.TimeDistributed(part)(x)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    return recurrent(draw, x)


def recurrent(draw: Draw, x: keras.KerasTensor) -> keras.KerasTensor:
    """Applies a bidirectional recurrent layer, BIN, and a dense layer.

    Args:
        draw: decides.
        x: shape `(batch, time, features)`.
    """
    kind = draw.of(layers.LSTM, layers.GRU, layers.SimpleRNN)
    merge = draw.of("concat", "sum")
    draw.note(f"Bidirectional({kind.__name__}), {merge}")
    x = layers.Bidirectional(kind(4, return_sequences=True), merge_mode=merge)(x)
    return layers.Dense(4)(normalization(draw, Space(1))(x))


STRUCTURES = (unit, unit, unit, unit, branches, residual, gated, own, own, nested, shared, resized)
LAST_CHANNELS_ONLY = (own,)
