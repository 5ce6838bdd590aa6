"""Batches of inputs, given or generated, for comparing an artifact with its model."""

import warnings
from collections.abc import Mapping

import keras
import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.networks.signature import Signature
from keras_bin.networks.state import restored
from keras_bin.sampling.generated import SMALL_BATCHES, GeneratedInputs
from keras_bin.sampling.trial import Batch, Trial

LONGEST_BATCH = 64


def sample_batches(
    signature: Signature, samples: Mapping | None = None, model: keras.Model | None = None
) -> list[Batch]:
    """Returns batches of several sizes, each with an array for every input.

    With `samples`, these are the first row, the first 3 rows, and all rows, at most 64.

    Without `samples`, inputs are generated, the same each time: batches of 1, 3 and 16 rows, and
    if sizes are free, batches of 1 and 3 rows at other sizes, which are odd, oblong and tiny.
    Floats are normal with mean 1.5 and standard deviation 2, so that a fold that is right only
    around zero is detected. The last of the 16 rows are blank images: zeros, constant, nearly
    constant and saturated ones. Integers and booleans are 0 or 1.

    With `model`, floats are scaled so that the inputs of the first normalization layer have about
    its moving mean and variance. Integers are positive and negative, up to 1000 or as far as the
    model runs; an Embedding gets all of its indices. Sizes at which the model does not run, and
    blank images for which its outputs are not finite, are left out. The model is run for this, and
    does not change. A row of several integers never starts with 0 if others are allowed, because a
    row of zeros would be all padding.

    Args:
        signature: the model's.
        samples: maps the name of every input to an array, all of the same length, 3 or more.
        model: the Functional model that the inputs are for.

    Raises:
        ValueError: an input has a dtype that cannot be generated, such as string, or `samples`
            do not fit the inputs.
    """
    if samples is not None:
        return _given(signature, samples)
    if model is None:
        return GeneratedInputs(signature).batches()
    with restored(model):
        return GeneratedInputs(signature, Trial(model, signature)).batches()


def rows(batch: Batch) -> int:
    """Returns the number of rows of a batch."""
    return len(next(iter(batch.values())))


def given_arrays(
    signature: Signature, given: Mapping, argument: str, fewest: int
) -> dict[str, np.ndarray]:
    """Returns the arrays that were given for the inputs of a model, with the inputs' dtypes.

    Args:
        signature: the model's, or the artifact's.
        given: maps the name of every input to an array, all of the same length.
        argument: the name of the argument, for errors.
        fewest: smallest number of rows.

    Raises:
        ArgumentError: they do not fit the inputs.
    """
    wanted = {info.name: info for info in signature.inputs}
    if not isinstance(given, Mapping) or given.keys() != wanted.keys():
        received = sorted(given) if isinstance(given, Mapping) else type(given).__name__
        raise ArgumentError(
            f"`{argument}` must map the name of every input to an array. "
            f"Received: {received} for inputs {sorted(wanted)}"
        )
    try:
        arrays = {name: _as_dtype(given[name], info.dtype) for name, info in wanted.items()}
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"`{argument}` must hold values of the inputs' dtypes; NumPy says: {error}. Received: "
            f"{argument} for {[f'{info.name} ({info.dtype})' for info in signature.inputs]}"
        ) from error
    shapes = {name: array.shape for name, array in arrays.items()}
    if len({shape[:1] for shape in shapes.values()}) != 1 or min(shapes.values()) < (fewest,):
        raise ArgumentError(
            f"The arrays of `{argument}` must have the same length, at least {fewest}. "
            f"Received: shapes={shapes}"
        )
    return arrays


def _as_dtype(values, dtype):
    """Returns the given values as an array of a dtype, unchanged except for the rounding of floats.

    Raises:
        ValueError: the dtype cannot hold them.
    """
    array = np.asarray(values)
    if dtype == "string":
        return array
    with np.errstate(invalid="ignore", over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        cast = np.asarray(array, dtype)
    rounds = array.dtype.kind in "iufb" and np.issubdtype(cast.dtype, np.floating)
    if array.dtype.kind in "iufcb" and not rounds and not np.array_equal(cast, array):
        raise ValueError(f"{array.dtype} values change when they are cast to {dtype}")
    return cast


def _given(signature, samples):
    arrays = given_arrays(signature, samples, "samples", max(SMALL_BATCHES))
    longest = min(rows(arrays), LONGEST_BATCH)
    return [
        {name: array[:size] for name, array in arrays.items()}
        for size in dict.fromkeys((*SMALL_BATCHES, longest))
    ]
