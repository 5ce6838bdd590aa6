"""Pictures to recognize, from CIFAR or of digits, and how a training varies them."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common.digits import load_digit_scans
from common.scans import CLASSES
from common.styles import draw, draw_held_out

# Mean and standard deviation of red, green and blue in CIFAR, on a scale from 0 to 1, from BIN's
# authors: https://github.com/hyseob/Batch-Instance-Normalization.
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_DEVIATION = (0.2023, 0.1994, 0.2010)
DIGIT_STYLE = "random colours"
# Of the height and width: 4 of CIFAR's 32 pixels.
PADDING = 1 / 8


class Pictures(NamedTuple):
    """Labelled pictures, apart for training and evaluation.

    Attributes:
        train: shape `(n, height, width, 3)`.
        train_labels: shape `(n,)`, integers from 0.
        test: pictures of the same height and width.
        test_labels: shape `(len(test),)`.
        classes: how many there are.
        mean: what is subtracted from a net's input, by colour, in the unit of the pictures.
        deviation: what the input is then divided by.
        mirrored: whether a mirrored picture means the same.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: int
    mean: np.ndarray
    deviation: np.ndarray
    mirrored: bool

    def first(self, number: int) -> "Pictures":
        """Keeps only the first pictures to train on, and to test on."""
        return self._replace(
            train=self.train[:number],
            train_labels=self.train_labels[:number],
            test=self.test[:number],
            test_labels=self.test_labels[:number],
        )


def load_cifar(classes: int) -> Pictures:
    """Loads CIFAR-10 or CIFAR-100 with `keras.datasets`, which keeps it in `~/.keras/datasets`.

    Args:
        classes: 10 or 100.

    Raises:
        ConnectionError: the data set is not there and could not be downloaded.
    """
    name = f"cifar{classes}"
    try:
        (train, train_labels), (test, test_labels) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises no specific class if a download fails
        raise ConnectionError(
            f"{name} must be in ~/.keras/datasets, or Keras must be able to download it; run again "
            f"when https://www.cs.toronto.edu is reachable. Received: {error}"
        ) from error
    return Pictures(
        train,
        train_labels.ravel(),
        test,
        test_labels.ravel(),
        classes,
        255 * np.array(CIFAR_MEAN, "float32"),
        255 * np.array(CIFAR_DEVIATION, "float32"),
        mirrored=True,
    )


def load_digits() -> Pictures:
    """Draws scikit-learn's digits in random colours, the same pictures at every call."""
    split = load_digit_scans()
    return Pictures(
        draw(split.train_scans, DIGIT_STYLE, np.random.default_rng(0)),
        split.train_labels,
        draw_held_out(split)[DIGIT_STYLE],
        split.test_labels,
        CLASSES,
        np.zeros(3, "float32"),
        np.ones(3, "float32"),
        mirrored=False,
    )


class DataSet(NamedTuple):
    """Pictures, and their sizes, known before they are loaded.

    Attributes:
        load: returns the pictures.
        side: their height and width.
        classes: how many there are.
        net: the net that learns them if none is named.
        caption: what they are.
    """

    load: Callable[[], Pictures]
    side: int
    classes: int
    net: str
    caption: str


DATASETS = {
    "digits": DataSet(
        load_digits,
        side=8,
        classes=10,
        net="resnet-14",
        caption="Reduced size: the recipe of BIN's authors, run with handwritten digits of 8x8 "
        "pixels in random colours, not with their data and nets.",
    ),
    **{
        f"cifar{classes}": DataSet(
            functools.partial(load_cifar, classes),
            side=32,
            classes=classes,
            net="resnet-110",
            caption=f"The recipe of BIN's authors, run with CIFAR-{classes}.",
        )
        for classes in (10, 100)
    },
}


def training_batches(pictures: Pictures, batch_size: int, seed: int) -> tf.data.Dataset:
    """Returns the batches of an epoch, in a new order and with new variations each time.

    A picture is padded with black on every side by `PADDING` of its height and width, cropped to
    its size at a random place, and mirrored half of the time if it then means the same.

    Args:
        pictures: those to train on are used.
        batch_size: pictures per batch; the last batch may have fewer.
        seed: decides order, crops and mirroring.
    """
    shape = pictures.train.shape[1:]
    height, width = (round(PADDING * side) for side in shape[:2])

    def vary(example, seeds):
        picture, label = example
        picture = tf.pad(picture, ((height, height), (width, width), (0, 0)))
        picture = tf.image.stateless_random_crop(picture, shape, seeds[:2])
        if pictures.mirrored:
            picture = tf.image.stateless_random_flip_left_right(picture, seeds[2:])
        return _normalize(picture, pictures), label

    examples = tf.data.Dataset.from_tensor_slices((pictures.train, pictures.train_labels))
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(4)
    return (
        tf.data.Dataset.zip((examples.shuffle(len(pictures.train), seed), seeds))
        .map(vary, tf.data.AUTOTUNE)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def held_out_batches(pictures: Pictures, batch_size: int) -> tf.data.Dataset:
    """Returns the batches of the pictures to test on, as they are."""
    examples = tf.data.Dataset.from_tensor_slices((pictures.test, pictures.test_labels))
    return (
        examples.batch(batch_size)
        .map(lambda test, labels: (_normalize(test, pictures), labels), tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def _normalize(values, pictures):
    return (tf.cast(values, tf.float32) - pictures.mean) / pictures.deviation
