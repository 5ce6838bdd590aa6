"""Entries of PyTorch's normalizations, and layers to load them into."""

import numpy as np

import keras_bin


def entries(channels=3, prefix="", **changes):
    """Returns the entries of one authors' layer away from their defaults, some changed."""
    rng = np.random.default_rng(0)
    values = {
        "gate": np.linspace(0, 1, channels),
        "weight": rng.normal(1, 0.5, channels),
        "bias": rng.normal(0, 0.5, channels),
        "running_mean": rng.normal(2, 1, channels),
        "running_var": rng.uniform(0.5, 3, channels),
        "num_batches_tracked": np.array(7),
    }
    values = {name: value for name, value in (values | changes).items() if value is not None}
    return {prefix + name: value for name, value in values.items()}


def built(layer=None, channels=3):
    layer = layer or keras_bin.BatchInstanceNormalization(epsilon=1e-5)
    layer.build((None, 6, 5, channels))
    return layer


def weights_of(model):
    return [np.array(weight) for weight in model.get_weights()]
