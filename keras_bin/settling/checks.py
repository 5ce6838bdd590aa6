"""Checking what is given to settle gates with."""

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
    """Checks that data are of a kind that can be evaluated on more than once.

    Raises:
        TypeError: they are a generator, or a list or dict without targets.
        ValueError: they are a tuple of another length.
    """
    if isinstance(data, tuple) and len(data) not in (2, 3):
        raise ValueError(
            "A tuple must be `(x, y)` or `(x, y, sample_weight)`. "
            f"Received: data of {len(data)} parts"
        )
    if isinstance(data, (Iterator, list, dict)) or data is None:
        raise TypeError(
            "`data` must be `(x, y)`, `(x, y, sample_weight)`, or batches of them that can be read "
            "more than once, such as a tf.data.Dataset or keras.utils.PyDataset; make arrays of a "
            f"generator. Received: data of type {type(data).__name__}"
        )


def check_goal(max_cost: Any, max_increase: Any, free_increase: Any, keep: Any) -> None:
    """Checks how far gates are to be settled.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not (is_number(max_cost) and 0 <= max_cost <= 1):
        raise ValueError(
            "`max_cost` must be a share of what all BIN layers cost, from 0 (none is left) to 1. "
            f"Received: max_cost={max_cost!r}"
        )
    if not (is_number(max_increase) and max_increase >= 0):
        raise ValueError(
            "`max_increase` must be a share of the loss, 0 or more. "
            f"Received: max_increase={max_increase!r}"
        )
    if not (is_number(free_increase) and 0 <= free_increase < math.inf):
        raise ValueError(
            "`free_increase` must be a share of the loss, finite and 0 or more. "
            f"Received: free_increase={free_increase!r}"
        )
    if keep is not None and not (is_number(keep) and 0 <= keep <= 1):
        raise ValueError(
            "`keep` must be a value of rho in [0, 1], or None to let gates learn on. "
            f"Received: keep={keep!r}"
        )


def is_number(value: Any) -> bool:
    """Tells whether a value is a real number, infinity included."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
