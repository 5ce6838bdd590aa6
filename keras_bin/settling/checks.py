"""Checking the arguments for settling gates."""

import math
from collections.abc import Iterator
from numbers import Real
from typing import Any

import keras

from keras_bin.networks.graph import check_model


def check_compiled(model: keras.Model) -> None:
    """Checks that a model can be evaluated.

    Raises:
        TypeError: it is not a `keras.Model`.
        ValueError: it is not compiled.
    """
    check_model(model)
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled, with the loss that it is trained with; call "
            f"`model.compile` first. Received: model={model.name!r}, not compiled"
        )


def check_data(data: Any) -> None:
    """Checks that a model can be evaluated on data more than once.

    Raises:
        TypeError: they are a generator, have no targets, or never end.
        ValueError: they are a tuple of the wrong length.
    """
    if isinstance(data, tuple) and len(data) not in (2, 3):
        raise ValueError(
            "A tuple must be `(x, y)` or `(x, y, sample_weight)`. "
            f"Received: data of {len(data)} parts"
        )
    cardinality = getattr(data, "cardinality", int)  # -1 is that of an infinite dataset
    endless = int(cardinality()) == -1 or getattr(data, "num_batches", 0) is None
    if (
        isinstance(data, (Iterator, list, dict))
        or data is None
        or hasattr(data, "shape")
        or endless
    ):
        raise TypeError(
            "`data` must be `(x, y)`, `(x, y, sample_weight)`, or batches of them that end and can "
            "be read more than once, such as a tf.data.Dataset or keras.utils.PyDataset; convert "
            f"a generator to arrays. Received: {'endless ' * endless}data of type "
            f"{type(data).__name__}"
        )


def is_number(value: Any) -> bool:
    """Tells whether a value is a real number, infinity included."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
