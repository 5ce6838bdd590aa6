"""Layers whose gates are settled: all at one value, which training does not change."""

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.constraint import SettledRho
from keras_bin.keras_internals import moving_average, updates
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.rho_constraint import RhoConstraint
from keras_bin.training.rho_update import leaf_optimizers


def is_at(layer: BatchInstanceNormalization, value: float) -> bool:
    """Tells whether all gates of a layer equal a value, in their own precision."""
    rho = array(layer.rho)
    return bool(np.all(rho == np.asarray(value, rho.dtype)))


def settle(
    layer: BatchInstanceNormalization,
    value: float,
    optimizer: keras.optimizers.Optimizer | None,
) -> None:
    """Sets the gates of a layer to one value, and keeps them there.

    A train function that was made before does not know about this: make a new one.

    Args:
        layer: the layer.
        value: from 0 to 1.
        optimizer: the optimizer that trains the layer; its moving average of rho is set, too.
    """
    layer.rho_constraint = SettledRho(value)
    layer.rho.constraint = RhoConstraint(layer.rho_constraint)
    put_back(layer, optimizer)


def put_back(
    layer: BatchInstanceNormalization, optimizer: keras.optimizers.Optimizer | None
) -> None:
    """Resets the gates of a settled layer, and their moving average, to their settled value."""
    value = np.array(layer.rho_constraint(array(layer.rho)))
    layer.rho.assign(value)
    for leaf in leaf_optimizers(optimizer) if optimizer is not None else ():
        if leaf.use_ema and updates(leaf, layer.rho):
            moving_average(leaf, layer.rho).assign(value)
