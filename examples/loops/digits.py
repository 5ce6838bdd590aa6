"""What the loops train on: digits of scikit-learn, each at its own contrast, and a small net."""

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_bin

TRAINING, BATCH_SIZE, EPOCHS = 1408, 64, 3


def load() -> tuple[np.ndarray, np.ndarray]:
    """Returns the digits, of shape (1797, 8, 8, 1), each with a random brightness and contrast."""
    digits = load_digits()
    rng = np.random.default_rng(0)
    contrast, brightness = rng.uniform([[0.2], [0]], [[1], [2]], (2, len(digits.images)))
    images = brightness[:, None, None] + contrast[:, None, None] * digits.images / 16
    return images[..., None].astype("float32"), digits.target.astype("int32")


def batches(images: np.ndarray, labels: np.ndarray, epoch: int):
    """Yields the batches of an epoch in random order."""
    order = np.random.default_rng(epoch).permutation(TRAINING)
    for chosen in order.reshape(-1, BATCH_SIZE):
        yield images[chosen], labels[chosen]


def build_net() -> keras.Model:
    """Returns a plain Keras model with two BIN layers."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((8, 8, 1))
    for number, filters in enumerate((16, 32), 1):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras_bin.BatchInstanceNormalization(momentum=0.9, name=f"bin{number}")(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


def report(epoch: int, loss: float, net: keras.Model, images: np.ndarray, labels: np.ndarray):
    """Prints the loss, the accuracy on held-out digits, and the mean of rho in each layer."""
    predicted = net.predict(images[TRAINING:], verbose=0).argmax(-1)
    accuracy = np.mean(predicted == labels[TRAINING:])
    gates = [f"{layer.layer} {layer.mean:.3f}" for layer in keras_bin.rho_summary(net)]
    print(f"epoch {epoch}: loss {loss:.3f}, accuracy {accuracy:.1%}, mean rho {', '.join(gates)}")
