"""A GAN with a custom train step: two optimizers, and BIN in the generator.

    python examples/loops/gan.py

The discriminator is updated by its optimizer, the generator through `keras_bin.apply_gradients`,
so that its rho takes the tenfold step.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

import keras_bin

NOISE, EPOCHS = 16, 12


def build_generator():
    """Returns a net that makes pictures from noise."""
    x = inputs = keras.Input((NOISE,))
    x = layers.Reshape((2, 2, 64))(layers.Dense(256)(x))
    for filters in (64, 32):
        x = layers.Conv2DTranspose(filters, 4, 2, padding="same", use_bias=False)(x)
        x = keras_bin.BatchInstanceNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name="generator")


def build_discriminator():
    """Returns a net that tells digits from what the generator makes."""
    x = inputs = keras.Input((8, 8, 1))
    for filters in (32, 64):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(filters, 3, 2, padding="same")(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(1)(x), name="discriminator")


class GAN(keras.Model):
    """A generator and a discriminator that learn from each other."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = build_generator(), build_discriminator()
        names = ("generator_loss", "discriminator_loss")
        self.means = [keras.metrics.Mean(name) for name in names]
        self.bce = keras.losses.BinaryCrossentropy(from_logits=True)

    def compile(self, generator_optimizer, discriminator_optimizer):
        """Takes an optimizer for each network."""
        super().compile()
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        # Else TensorFlow traces the first step twice.
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    def call(self, noise):
        """Returns pictures."""
        return self.generator(noise)

    def train_step(self, real):
        """Updates both on a batch of digits, and returns the means of their losses."""
        size = tf.shape(real)[0]
        noise = tf.random.normal((size, NOISE))
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = self.generator(noise, training=True)
            of_real = self.discriminator(real, training=True)
            of_fake = self.discriminator(fake, training=True)
            ones = tf.ones((size, 1))
            generator_loss = self.bce(ones, of_fake)
            discriminator_loss = self.bce(ones, of_real) + self.bce(1 - ones, of_fake)

        variables = self.generator.trainable_variables
        gradients = generator_tape.gradient(generator_loss, variables)
        pairs = zip(gradients, variables, strict=True)
        keras_bin.apply_gradients(self.generator_optimizer, pairs)

        variables = self.discriminator.trainable_variables
        gradients = discriminator_tape.gradient(discriminator_loss, variables)
        pairs = zip(gradients, variables, strict=True)
        self.discriminator_optimizer.apply_gradients(pairs)

        for mean, loss in zip(self.means, (generator_loss, discriminator_loss), strict=True):
            mean.update_state(loss)
        return {mean.name: mean.result() for mean in self.means}


class Progress(keras.callbacks.Callback):
    """Prints losses and gates of every third epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """Prints, if it is a third epoch."""
        if (epoch + 1) % 3 == 0:
            gates = [f"{layer.mean:.3f}" for layer in keras_bin.rho_summary(self.model)]
            losses = ", ".join(f"{name} {value:.2f}" for name, value in logs.items())
            print(f"epoch {epoch + 1}: {losses}, mean rho {', '.join(gates)}")


def show(pictures):
    """Prints pictures of values in [0, 1] side by side."""
    for row in np.concatenate(list(pictures), axis=1)[..., 0]:
        print("".join(" .:-=+*#%@"[min(int(10 * value), 9)] * 2 for value in row))


keras.utils.set_random_seed(0)
digits = load_digits()
zeros = (digits.images[digits.target == 0] / 16)[..., None].astype("float32")
gan = GAN()
gan.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(1e-3, 0.5))
data = tf.data.Dataset.from_tensor_slices(zeros).shuffle(len(zeros), seed=0).batch(32).repeat(4)
gan.fit(data, epochs=EPOCHS, shuffle=False, callbacks=[Progress()], verbose=0)
show(gan.predict(np.random.default_rng(0).normal(size=(6, NOISE)), verbose=0))
