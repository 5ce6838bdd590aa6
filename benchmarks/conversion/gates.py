"""Gates as a training might leave them."""

import keras
import numpy as np

from keras_bin import rho_weights

AT_THE_ENDS = 0.25  # share of the channels at 0, and also of those at 1


def draw_gates(model: keras.Model, seed: int = 2) -> None:
    """Draws every gate of a model: some at 0, some at 1, the others anywhere between."""
    rng = np.random.default_rng(seed)
    for rho in rho_weights(model):
        kinds = rng.random(rho.shape)
        drawn = np.where(kinds < AT_THE_ENDS, 0.0, rng.random(rho.shape))
        rho.assign(np.where(kinds > 1 - AT_THE_ENDS, 1.0, drawn))
