"""Small models of every kind that people build, with BIN weights as a training leaves them.

`KINDS` and `HALF_KINDS` map names to functions without arguments that return a new model.
"""

import functools

import keras
import numpy as np
from keras import layers, ops

import keras_bin
from testing.weights import randomize

BIN = keras_bin.BatchInstanceNormalization
IMAGE = (8, 6, 3)
KINDS = {}


def kind(build):
    """Registers a builder, and makes it set the BIN weights of what it builds."""

    @functools.wraps(build)
    def build_randomized():
        return randomize(build())

    KINDS[build.__name__] = build_randomized
    return build_randomized


def bin_model(rho=None, shape=IMAGE, **arguments):
    """One BIN layer called `bin` between an input `image` and nothing."""
    inputs = keras.Input(shape, name="image")
    return randomize(keras.Model(inputs, BIN(name="bin", **arguments)(inputs)), rho)


def classifier(**arguments):
    """A small convolutional net: input `image`, BIN layers `bin1` and `bin2`, output `head`."""
    inputs = keras.Input(IMAGE, name="image")
    x = layers.Conv2D(4, 3, padding="same", name="conv1")(inputs)
    x = layers.ReLU(name="relu")(BIN(name="bin1")(x))
    x = BIN(name="bin2")(layers.Conv2D(5, 3, strides=2, name="conv2")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras_bin.BINModel if arguments else keras.Model
    return model(inputs, layers.Dense(2, name="head")(x), **arguments)


def block(filters, name=None):
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(filters, 3, padding="same")(inputs)
    return keras.Model(inputs, BIN()(x), name=name)


@kind
def functional():
    return classifier()


@kind
def binmodel():
    return classifier(rho_gradient_scale=10.0)


@kind
def sequential():
    return keras.Sequential([keras.Input(IMAGE), layers.Conv2D(4, 3), BIN(), layers.Flatten()])


@kind
def sequential_built_by_call():
    model = keras.Sequential([layers.Conv2D(4, 3), BIN(), layers.Flatten()])
    model(np.zeros((2, *IMAGE), "float32"))
    return model


@kind
def sequential_inside_functional():
    inputs = keras.Input(IMAGE)
    stem = keras.Sequential([keras.Input(IMAGE), layers.Conv2D(4, 3), BIN()])
    return keras.Model(inputs, layers.Flatten()(stem(inputs)))


@kind
def nested_twice():
    inner = block(3)
    middle_inputs = keras.Input(IMAGE)
    middle = keras.Model(middle_inputs, BIN()(inner(middle_inputs)))
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, BIN()(middle(inputs)))


@kind
def shared_layer():
    inputs = keras.Input(IMAGE)
    shared = BIN()
    x = shared(inputs)
    return keras.Model(inputs, layers.Add()([x, shared(x * 2.0)]))


@kind
def shared_model():
    first, second = keras.Input(IMAGE), keras.Input(IMAGE)
    shared = block(3)
    return keras.Model([first, second], [shared(first), shared(shared(second))])


@kind
def shared_across_models():
    """Two layers that are used inside and outside a nested model."""
    shared, conv = BIN(), layers.Conv2D(3, 3, padding="same")
    inner_inputs = keras.Input(IMAGE)
    inner = keras.Model(inner_inputs, conv(shared(inner_inputs)))
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, shared(inner(conv(inputs))))


@kind
def lists():
    """The names of the outputs are not in alphabetical order, and one output comes twice."""
    first, second = keras.Input(IMAGE, name="right"), keras.Input(IMAGE, name="left")
    x = BIN(name="z")(first - second)
    y = layers.Conv2D(3, 3, name="a")(x)
    return keras.Model([first, second], [x, y, x])


@kind
def dicts():
    first, second = keras.Input(IMAGE, name="right"), keras.Input(IMAGE, name="left")
    x = BIN()(first - second)
    y = layers.Conv2D(3, 3)(x)
    return keras.Model({"right": first, "left": second}, {"mask": x, "image": y})


@kind
def list_of_one():
    inputs = keras.Input(IMAGE)
    return keras.Model([inputs], [BIN()(inputs)])


@kind
def channels_first():
    inputs = keras.Input((3, None, None))
    return keras.Model(inputs, BIN(axis=1)(inputs))


@kind
def rank_3():
    inputs = keras.Input((None, 3))
    return keras.Model(inputs, BIN(epsilon=0.1)(layers.Conv1D(4, 3)(inputs)))


@kind
def rank_5():
    inputs = keras.Input((3, 4, 5, 2))
    return keras.Model(inputs, BIN(axis=-2)(inputs))


@kind
def no_center_no_scale():
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, BIN(center=False)(BIN(scale=False)(inputs)))


@kind
def free_sizes():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    return keras.Model(inputs, BIN()(x))


@kind
def fixed_batch():
    inputs = keras.Input(batch_shape=(4, *IMAGE))
    return keras.Model(inputs, BIN()(layers.Conv2D(4, 3)(inputs)))


@kind
def masked():
    inputs = keras.Input((9,), dtype="int32")
    x = layers.Embedding(4, 3, mask_zero=True, embeddings_initializer="normal")(inputs)
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(BIN()(x)))


@kind
def mask_as_argument():
    """One layer at two places, with and without a mask."""
    inputs, mask = keras.Input(IMAGE), keras.Input(IMAGE[:2], dtype="bool")
    shared = BIN()
    return keras.Model([inputs, mask], shared(shared(inputs), mask=mask))


@kind
def without_bin():
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, layers.BatchNormalization()(layers.Conv2D(2, 3)(inputs)))


@kind
def adapted_normalization():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (5, *IMAGE)))
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, BIN()(normalization(inputs)))


@kind
def lambda_with_closure():
    factor = 3.0
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, BIN()(layers.Lambda(lambda x: x * factor)(inputs)))


@kind
def operations():
    inputs = keras.Input(IMAGE, dtype="uint8")
    x = BIN()(ops.cast(inputs, "float32")[:, 1:-1, ::2] / 2.0)
    first, second = ops.split(ops.concatenate([x, ops.relu(x)], axis=-1), 2, axis=-1)
    return keras.Model(inputs, first * second + ops.mean(x, axis=(1, 2), keepdims=True))


@kind
def attention():
    inputs = keras.Input((7, 4))
    x = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    return keras.Model(inputs, BIN()(x + inputs))


@kind
def recurrent():
    inputs = keras.Input((7, 4))
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(inputs)
    return keras.Model(inputs, BIN()(x))


@kind
def time_distributed():
    inputs = keras.Input((3, *IMAGE))
    return keras.Model(inputs, layers.TimeDistributed(BIN())(inputs))


@kind
def dropout():
    inputs = keras.Input(IMAGE)
    x = layers.GaussianNoise(0.5)(layers.RandomFlip()(inputs))
    return keras.Model(inputs, layers.Dropout(0.5)(BIN()(x)))


@kind
def low_rank():
    inputs = keras.Input(IMAGE)
    dense = layers.Dense(4)
    model = keras.Model(inputs, BIN()(dense(inputs)))
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    return model


@kind
def convolutions():
    inputs = keras.Input((None, None, 3))
    x = layers.DepthwiseConv2D(3, padding="same")(BIN()(inputs))
    x = layers.UpSampling2D()(layers.PReLU(shared_axes=[1, 2])(x))
    x = layers.Conv2DTranspose(2, 3, strides=2, activation="gelu")(x)
    return keras.Model(inputs, layers.GlobalMaxPooling2D(keepdims=True)(x))


@kind
def cloned():
    return keras.models.clone_model(classifier())


def of_policy(build, policy):
    """Builds a model with `policy` as the default dtype policy, and puts the old one back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(before)


HALF_KINDS = {
    name: functools.partial(of_policy, KINDS[kind_name], policy)
    for name, kind_name, policy in (
        ("mixed_float16", "functional", "mixed_float16"),
        ("mixed_bfloat16", "functional", "mixed_bfloat16"),
        ("pure_float16", "functional", "float16"),
        ("mixed_float16_sequential", "sequential", "mixed_float16"),
        ("mixed_float16_wrapped_layers", "recurrent", "mixed_float16"),
    )
}
