"""Layers whose gates are settled: all at one value, where training leaves them."""

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.constraint import SettledRho
from keras_bin.keras_internals import moving_average, updates
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.rho_constraint import RhoConstraint
from keras_bin.training.rho_update import leaf_optimizers


def is_at(layer: BatchInstanceNormalization, value: float) -> bool:
    """Tells whether all gates of a layer have a value, in their own precision."""
    rho = array(layer.rho)
    return bool(np.all(rho == np.asarray(value, rho.dtype)))


def settle(
    layer: BatchInstanceNormalization,
    value: float,
    optimizer: keras.optimizers.Optimizer | None,
) -> None:
    """Sets the gates of a layer to one value, and keeps them there.

    A train function that was made before does not know it: make it anew.

    Args:
        layer: the layer.
        value: from 0 to 1.
        optimizer: what trains the layer, whose moving average of rho follows at once.
    """
    layer.rho_constraint = SettledRho(value)
    layer.rho.constraint = RhoConstraint(layer.rho_constraint)
    put_back(layer, optimizer)


def put_back(
    layer: BatchInstanceNormalization, optimizer: keras.optimizers.Optimizer | None
) -> None:
    """Sets the gates of a settled layer, and their moving average, to where they are settled."""
    value = np.array(layer.rho_constraint(array(layer.rho)))
    layer.rho.assign(value)
    for leaf in leaf_optimizers(optimizer) if optimizer is not None else ():
        if leaf.use_ema and updates(leaf, layer.rho):
            moving_average(leaf, layer.rho).assign(value)
