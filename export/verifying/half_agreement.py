"""Comparing a half-precision model with itself in float32, the dtype of its exports."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from keras_bin.keras_internals import all_layers

from .sensitivity import largest_by_row

# An output may differ from float32 by this many units in the last place of its largest value, or by
# this many times as much as its rows move when inputs move by one unit.
_UNITS = 64
_MOVES = 4


def half_unit(model: keras.Model) -> float:
    """Returns the relative rounding error of the half-precision layers of a model."""
    bfloat = any(layer.compute_dtype == "bfloat16" for layer in all_layers(model))
    return 2**-8 if bfloat else 2**-11


def check_half(
    half: Mapping[str, np.ndarray],
    single: Mapping[str, np.ndarray],
    rows: int,
    unit: float,
    moved: Callable[[], Mapping[str, np.ndarray]],
) -> None:
    """Checks that a model computes about the same in half precision and in float32.

    Args:
        half: outputs of the model by name.
        single: the outputs in float32.
        rows: number of rows of the batch.
        unit: what `half_unit` returns.
        moved: returns how far each row of an output in float32 moves when inputs move by `unit`;
            instance normalization amplifies the rounding of blank images.

    Raises:
        ValueError: it does not, or an output is not finite only in half precision.
    """
    overflowed, wrong = [], []
    for name, values in single.items():
        if values.dtype.kind != "f":
            continue
        own = half[name].astype("float64")
        count = np.count_nonzero(np.isfinite(values) & ~np.isfinite(own))
        if count:
            overflowed.append(f"{name!r}: {count} of {values.size} values")
            continue
        both = np.isfinite(own) & np.isfinite(values)
        apart = np.subtract(own, values, out=np.zeros(own.shape), where=both)
        apart = largest_by_row(apart, rows)
        allowed = _UNITS * unit * np.abs(values[both]).max(initial=np.finfo("float16").tiny)
        if np.any(apart > allowed) and np.any(apart > np.fmax(allowed, _MOVES * moved()[name])):
            wrong.append(f"{name!r}: {apart.max():.3g} where {allowed:.3g} is allowed")
    if overflowed:
        raise ValueError(
            "The outputs of a half-precision model must be finite wherever those in float32 are; "
            "pass suitable inputs as `samples`, or let the model compute in float32 or bfloat16. "
            f"Not finite are: {', '.join(overflowed)}"
        )
    if wrong:
        raise ValueError(
            "A half-precision model must compute about the same in float32, in which it is "
            "exported. On these inputs, half precision loses too many digits; pass others as "
            f"`samples`, or let it compute in float32. Largest differences: {', '.join(wrong)}"
        )
