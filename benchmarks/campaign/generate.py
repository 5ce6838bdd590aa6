"""Generates a net from a seed."""

import dataclasses

import keras
from keras import layers, ops

from benchmarks.campaign.custom_models import own_model
from benchmarks.campaign.draw import Draw
from benchmarks.campaign.inputs import LEVELS, MOST_WORDS, Range
from benchmarks.campaign.operations import Space, activation, convolution, normalization
from benchmarks.campaign.structures import (
    LAST_CHANNELS_ONLY,
    STRUCTURES,
    over_time,
    recurrent,
    unit,
)
from benchmarks.campaign.weights import randomize
from keras_bin import BINModel

POLICIES = ("float32",) * 10 + ("mixed_bfloat16", "mixed_float16")
FIXED = (8, 12, 16, 23)


@dataclasses.dataclass
class Net:
    """A generated net.

    Attributes:
        model: the net, with random weights.
        description: what was drawn.
        within: range of its inputs.
        gates: the name of the pattern of its gates.
        policy: its dtype policy.
    """

    model: keras.Model
    description: str
    within: Range
    gates: str
    policy: str


def generate(seed: int, float32: bool = False) -> Net:
    """Generates a net from a seed; the same seed gives the same net.

    Args:
        seed: decides everything.
        float32: whether to make it in float32, regardless of its policy.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    draw = Draw(seed)
    level = draw.of("near 0", "near 0", "near 0", "bytes", "Kelvin")
    policy = draw.of(*POLICIES)
    draw.note(f"{policy}, {level}")
    within = Range(*LEVELS[level], lowest=draw.of(0, 0, -9))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if float32 else policy)
    try:
        model = _model(draw, policy, within.lowest)
        gates = randomize(model, draw, within)
    finally:
        keras.config.set_dtype_policy(before)
    return Net(model, "; ".join(draw.notes), within, gates, policy)


def _model(draw, policy, lowest):
    kind = draw.of(*["images"] * 7, "subclass", "subclass", "film", "series", "words")
    if kind == "subclass":
        model = own_model(draw)
        size = draw.of(*FIXED)
        model(keras.ops.zeros((draw.of(1, 2, 4), size, size, 3)))
        return model
    if kind == "film":
        inputs = keras.Input((4, 8, 8, 3), name="film")
        return _finish(draw, inputs, over_time(draw, inputs))
    if kind == "series":
        inputs = keras.Input((draw.of(None, 12), 3), name="series")
        x = unit(draw, Space(1), inputs)
        return _finish(draw, inputs, recurrent(draw, x))
    if kind == "words":
        inputs, x = _words(draw, lowest)
        return _finish(draw, inputs, _body(draw, Space(1), x))
    return _images(draw, policy)


def _images(draw, policy):
    rank = draw.of(1, 2, 2, 2, 2, 3)
    if rank == 3 and policy != "float32":
        rank = 2  # TensorFlow has no 3-D pooling in half precision on a CPU
    space = Space(rank, first=rank == 2 and draw.chance(0.15))
    channels = draw.of(1, 3, 3, 4)
    sizes = draw.of(*FIXED) if draw.chance(0.6) else None
    shape = (sizes if rank < 3 or sizes is None else 8,) * rank
    shape = (channels, *shape) if space.first else (*shape, channels)
    draw.note(f"{shape}, {space.format}")
    if not space.first and sizes is not None and rank == 2 and draw.chance(0.15):
        return _sequential(draw, space, shape)
    inputs = {"image": keras.Input(shape, name="image")}
    x = inputs["image"]
    if draw.chance(0.15):  # a second input
        draw.note("and a label")
        inputs["label"] = keras.Input((1,), dtype="int32", name="label")
        label = layers.Flatten()(layers.Embedding(MOST_WORDS, 3)(inputs["label"]))
        x = unit(draw, space, x)
        weight = layers.Dense(x.shape[space.axis])(label)
        one = (1,) * rank
        x = x * layers.Reshape((-1, *one) if space.first else (*one, -1))(weight)
    x = _body(draw, space, x)
    return _finish(draw, inputs if len(inputs) > 1 else inputs["image"], x, space)


def _body(draw, space, x):
    for _ in range(draw.between(2, 5)):
        structure = draw.of(*STRUCTURES)
        if space.first and structure in LAST_CHANNELS_ONLY:
            structure = unit
        x = structure(draw, space, x)
    return x


def _sequential(draw, space, shape):
    draw.note("Sequential:")
    parts, channels = [keras.Input(shape, name="image")], shape[-1]
    for _ in range(draw.between(1, 3)):
        parts += [convolution(draw, space, channels, 8), normalization(draw, space)]
        parts.append(activation(draw, space))
        channels = keras.Sequential(parts).output_shape[-1]
    return keras.Sequential(parts)


def _words(draw, lowest):
    """Makes an embedding of integers, which are negative if they count from the end."""
    inputs = keras.Input((draw.of(None, 10),), dtype="int32", name="words")
    x = inputs
    if lowest < 0:
        x = ops.mod(x, MOST_WORDS)
        draw.note("words % n")
    elif draw.chance(0.4):
        x = x // 2
        draw.note("words // 2")
    draw.note("embedding")
    return inputs, layers.Embedding(MOST_WORDS, 4)(x)


def _finish(draw, inputs, x, space=None):
    """Gives a net its outputs: an image, logits, or several."""
    kind = draw.of("image", "logits", "logits", "dict", "list")
    draw.note(f"outputs {kind}")
    if len(x.shape) == 3:
        pool = layers.GlobalAveragePooling1D()
    else:
        pool = (space or Space(2)).layer("GlobalAveragePooling{}D")
    logits = layers.Dense(3, name="logits", dtype="float32")(pool(x))
    outputs = {
        "image": x,
        "logits": logits,
        "dict": {"a": x, "b": layers.Softmax(name="b")(logits)},
        "list": [logits, x],
    }[kind]
    model = draw.of(keras.Model, BINModel)
    draw.note(model.__name__)
    return model(inputs, outputs)
