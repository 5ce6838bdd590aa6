"""The net that the programs of several devices and processes train, its data, and its state."""

import keras

import keras_bin

LAYERS = ("bin1", "bin2")
STEPS = 4  # enough that gates reach 0 and 1, where they are clipped
RATE = 0.02


def build_net(synchronized, seed=1):
    """Builds a net whose gates start at 0.5; its convolutions have no offset, which BIN removes."""
    keras.utils.set_random_seed(seed)
    half = keras.initializers.Constant(0.5)
    inputs = x = keras.Input((6, 6, 2))
    for name in LAYERS:
        x = keras.layers.Conv2D(4, 3, use_bias=False, name=f"conv_{name}")(x)
        x = keras_bin.BatchInstanceNormalization(
            name=name, synchronized=synchronized, rho_initializer=half
        )(x)
        x = keras.layers.Activation("gelu")(x)
    outputs = keras.layers.Dense(3, name="head")(keras.layers.GlobalAveragePooling2D()(x))
    return keras_bin.BINModel(inputs, outputs)


def optimizer():
    return keras.optimizers.Adam(RATE)


def cross_entropy(reduction="sum_over_batch_size"):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)


def rho_of(net):
    """Returns the gates of both layers."""
    return [keras.ops.convert_to_numpy(net.get_layer(name).rho).tolist() for name in LAYERS]


def bin_weights(net):
    """Returns gamma, beta, rho and the moving statistics of both layers."""
    return [[weight.tolist() for weight in net.get_layer(name).get_weights()] for name in LAYERS]
