"""Data whose moments are known, and a comparison of moving statistics with them."""

import keras
import numpy as np

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
BATCH = 8


def images(samples=20):
    """Images whose channels have different means and deviations, and whose batches differ."""
    rng = np.random.default_rng(1)
    x = rng.normal([1, -3, 20], [1, 0.5, 4], (samples, 4, 5, 3))
    return (x + np.linspace(0, 4, samples).reshape(-1, 1, 1, 1)).astype("float32")


def batches(x, size=BATCH):
    return [x[start : start + size] for start in range(0, len(x), size)]


def moments(parts):
    """Returns mean and biased variance of all rows of arrays `(..., channels)`."""
    rows = np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts]).astype("float64")
    return rows.mean(0), rows.var(0)


def assert_statistics(layer, parts, **tolerance):
    for moving, expected in zip(
        (layer.moving_mean, layer.moving_variance), moments(parts), strict=True
    ):
        np.testing.assert_allclose(np.asarray(moving, "float64"), expected, **(tolerance or CLOSE))


def sequential(*layers, shape=(4, 5, 3), name=None, **options):
    """Returns a model that runs eagerly, which is fast, unless options say otherwise."""
    model = keras.Sequential([keras.Input(shape), *layers], name=name)
    model.compile(**(options or {"run_eagerly": True}))
    return model
