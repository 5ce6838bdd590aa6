"""A net whose first layer alone needs its instance branch, and pictures that show it."""

import keras
import numpy as np
from keras import layers

import keras_bin
from keras_bin import SettleRho

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SHAPES = {"front": (4, 1), "middle": (6, 2), "back": (8, 1)}  # filters and strides
BINS = tuple(SHAPES)


def build(model_class=keras_bin.BINModel, rho=0.4, spatial=(8, 8), bins=BINS):
    """Builds convolutions with BIN, three or some; gates start where they are all mixed."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((*spatial, 1), name="image")
    x = inputs
    for name in bins:
        filters, strides = SHAPES[name]
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = keras_bin.BatchInstanceNormalization(name=name, rho_initializer=rho, momentum=0.9)(x)
        x = layers.ReLU()(x)
    outputs = layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x))
    return model_class(inputs, outputs)


def compiled(model, optimizer=None, run_eagerly=False, **settings):
    """Compiles a model; eagerly is quicker for a few steps, but not on JAX."""
    optimizer = optimizer or keras.optimizers.SGD(0.05, momentum=0.9)
    eager = run_eagerly and keras.backend.backend() != "jax"
    model.compile(optimizer, LOSS, run_eagerly=eager, **settings)
    return model


def pictures(number=64, seed=0):
    """Draws stripes, across or along, of random brightness and contrast, and which they are."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 2
    stripes = np.indices((8, 8))[labels] % 2
    contrast, brightness = rng.uniform(0.2, 3, (2, number, 1, 1))
    noisy = contrast * (stripes + rng.normal(0, 0.3, stripes.shape)) + 2 * brightness
    return noisy[..., None].astype("float32"), labels


def gates(model):
    """Returns the gates of each layer by its name."""
    return {layer.name: np.array(layer.rho) for layer in model.layers if layer.name in BINS}


EPOCHS = 5
ALL_AT_1 = {name: {1.0} for name in BINS}


def fit(model, settle, epochs=EPOCHS, callbacks=(), **settings):
    x, y = pictures()
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[settle, *callbacks], **settings)
    return model


def ends(model):
    return {name: set(rho.tolist()) for name, rho in gates(model).items()}


def settling(**settings):
    """Settles all but the front, in three rounds."""
    defaults = {"max_cost": 0.6, "free_increase": 0.0, "keep": None, "start": 0.4, "stop": 0.8}
    return SettleRho(pictures(), **{**defaults, "verbose": False, **settings})
