"""Strategies of two replicas on one CPU."""

import itertools

import tensorflow as tf


class OwnKeys(tf.distribute.MirroredStrategy):
    """A strategy whose collectives are told apart from those of other tests.

    TensorFlow numbers the collectives of every strategy from the same start, and remembers
    their dtypes and shapes for the whole process. It has this attribute for tests.
    """

    _collective_keys = itertools.count(100_000, step=1_000)

    def __init__(self, devices):
        self._collective_key_base = next(self._collective_keys)
        super().__init__(devices)


def two_replicas():
    """Returns a strategy on the two logical devices that conftest.py configures."""
    devices = tf.config.list_logical_devices("CPU")[:2]
    assert len(devices) == 2
    return OwnKeys(devices)
