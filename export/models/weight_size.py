"""How large the weights of a model are; a protobuf holds at most 2 GB."""

import keras
import numpy as np

# Leaves room for what is not weights.
LARGEST_INSIDE = 2**31 - 2**27


def fits_inside(model: keras.Model) -> bool:
    """Tells whether all weights of a model fit into one protobuf."""
    return sum(map(bytes_of, model.weights)) <= LARGEST_INSIDE


def bytes_of(weight: keras.Variable) -> int:
    """Returns the size of the values of a weight, in bytes."""
    return int(np.prod(weight.shape)) * np.dtype(weight.dtype).itemsize
