"""Batches of the data on which ranges are measured."""

from collections.abc import Mapping

import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.networks.signature import Signature
from keras_bin.sampling.batches import given_arrays, rows
from keras_bin.sampling.trial import Batch

_BATCH = 32


def calibration_batches(
    signature: Signature, data: np.ndarray | Mapping[str, np.ndarray]
) -> list[Batch]:
    """Returns data in batches of 32 rows, or of the number of rows that a file takes.

    Args:
        signature: the signature of the file.
        data: see `keras_bin.export.quantize_onnx`.

    Raises:
        ArgumentError: `data` do not fit the inputs, or the inputs cannot be calibrated.
    """
    unusable = [info for info in signature.inputs if info.dtype == "string" or not info.shape]
    fixed = {size for info in signature.inputs for size in info.shape[:1] if size is not None}
    if unusable or len(fixed) > 1:
        raise ArgumentError(
            "The inputs of `artifact` must be numbers with a batch axis, all of one size if it is "
            f"fixed. Received: {[tuple(info) for info in signature.inputs]}"
        )
    if not isinstance(data, Mapping):
        if len(signature.inputs) != 1:
            names = [info.name for info in signature.inputs]
            raise ArgumentError(
                "`data` must map the name of every input to an array if there are several. "
                f"Received: {type(data).__name__} for inputs {names}"
            )
        data = {signature.inputs[0].name: data}
    arrays = given_arrays(signature, data, "data", max(fixed, default=1))
    for info in signature.inputs:
        array = arrays[info.name]
        if len(array.shape) != len(info.shape) or any(
            want not in (None, have)
            for want, have in zip(info.shape[1:], array.shape[1:], strict=True)
        ):
            raise ArgumentError(
                f"`data` must have the shapes of the inputs, {info.shape} for {info.name!r}. "
                f"Received: {array.shape}"
            )
        wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        if wrong.size:
            raise ArgumentError(
                "`data` must be finite, as ranges are measured on it. "
                f"Received: NaN or infinity in row {wrong[0]} of {info.name!r}"
            )
    size = max(fixed, default=_BATCH)
    rest = rows(arrays) % size if fixed else 0
    return [
        {name: array[start : start + size] for name, array in arrays.items()}
        for start in range(0, rows(arrays) - rest, size)
    ]
