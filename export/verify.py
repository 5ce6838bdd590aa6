"""Comparing an artifact with the model that it was made from."""

import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.export.artifact import Artifact, load_artifact
from keras_bin.export.copying import inference_copy
from keras_bin.export.errors import DtypeError, NamesError, ShapeError, ValuesError
from keras_bin.export.graph import as_functional, check_model
from keras_bin.export.precision import is_half_precision
from keras_bin.export.signature import (
    BATCH_SIZES,
    Signature,
    model_signature,
    run_model,
    sample_inputs,
)
from keras_bin.gates import rho_weights

ATOL = 1e-4
RTOL = 1e-4


class Differences(NamedTuple):
    """How far an artifact is from its model, over all outputs and samples.

    Attributes:
        max_abs: largest absolute difference, in output units.
        max_rel: largest absolute difference over the absolute expected value, where that
            value is above `atol`.
        atol: absolute tolerance that was applied.
        rtol: relative tolerance that was applied.
        samples: number of sample batches compared.
    """

    max_abs: float
    max_rel: float
    atol: float
    rtol: float
    samples: int


def verify(
    artifact: str | Path,
    model: keras.Model,
    *,
    samples: dict[str, np.ndarray] | None = None,
    atol: float = ATOL,
    rtol: float = RTOL,
) -> Differences:
    """Checks that an artifact computes what a Keras model computes.

    The artifact is loaded from disk. Names, shapes, dtypes and then values of every output
    are compared, over batches of 1 and 3 and, where sizes are free, two sizes. An output is
    right where `abs(got - expected) <= atol + rtol * abs(expected)` and both are finite.

    `expected` comes from `model` as it is, unfolded. A half-precision model is compared in
    float32, and rho values outside [0, 1] are clipped, as the exporter does.

    Args:
        artifact: a SavedModel directory (`base/<version>`) or an ONNX file.
        model: the built Functional or Sequential model that it was exported from.
        samples: maps input names to arrays with at least 3 rows, to use in place of made-up
            inputs; needed where 32 or 48 is not a valid value of a free size.
        atol: absolute tolerance, at least 0, in output units.
        rtol: relative tolerance, at least 0.

    Returns:
        The largest differences found.

    Raises:
        FileNotFoundError: there is no artifact at that path.
        NamesError: inputs or outputs are called otherwise. Subclass of VerificationError
            and ValueError, as the next three.
        ShapeError: an input or output has another shape.
        DtypeError: an input or output has another dtype.
        ValuesError: an output differs by more than the tolerance, or is not finite.
        ValueError: `model`, `samples` or a tolerance cannot be used.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_saved_model, verify
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as base:
    ...     path = export_saved_model(model, base).path
    ...     found = verify(path, model, atol=1e-5)
    >>> found.max_abs < 1e-5, found.samples
    (True, 2)
    """
    check_model(model)
    check_tolerances(atol, rtol)
    return compare(load_artifact(Path(artifact)), reference(model), samples, atol, rtol)


def check_tolerances(atol: float, rtol: float) -> None:
    """Checks that tolerances can be met and missed.

    Raises:
        ValueError: one of them is negative or not finite.
    """
    if not all(isinstance(x, numbers.Real) and 0 <= x < np.inf for x in (atol, rtol)):
        raise ValueError(
            "`atol` and `rtol` must be finite numbers from 0 up. "
            f"Received: atol={atol!r}, rtol={rtol!r}"
        )


def reference(model: keras.Model) -> keras.Model:
    """Returns the model whose values an artifact must have: `model` itself wherever possible."""
    model = as_functional(model)
    rhos = [keras.ops.convert_to_numpy(rho) for rho in rho_weights(model)]
    in_range = all(np.all((rho >= 0) & (rho <= 1)) for rho in rhos)
    fixed_batch = any(tensor.shape[0] is not None for tensor in model.inputs)
    if in_range and not fixed_batch and not is_half_precision(model):
        return model
    return inference_copy(model)


def compare(
    artifact: Artifact,
    model: keras.Model,
    samples: dict[str, np.ndarray] | None,
    atol: float,
    rtol: float,
) -> Differences:
    """Compares a loaded artifact with a float32 Functional model; see `verify`."""
    signature = model_signature(model)
    _compare_signatures(artifact.signature, signature)
    max_abs = max_rel = 0.0
    wrong = []
    batches = sample_inputs(signature) if samples is None else _batches(samples, signature)
    for batch in batches:
        expected = _expected(model, signature, batch)
        got = artifact.run(batch)
        _compare_arrays(got, expected, "shape", ShapeError)
        _compare_arrays(got, expected, "dtype", DtypeError)
        for name, values in expected.items():
            abs_difference, rel_difference = _differences(got[name], values, atol)
            max_abs = np.maximum(max_abs, abs_difference.max(initial=0))
            max_rel = np.maximum(max_rel, rel_difference.max(initial=0))
            tolerance = atol + rtol * np.abs(values.astype("float64"))
            excess = np.full(values.shape, np.inf)
            np.subtract(abs_difference, tolerance, out=excess, where=np.isfinite(abs_difference))
            if excess.max(initial=0) > 0:
                worst = np.unravel_index(excess.argmax(), values.shape)
                wrong.append(
                    f"{name!r}, batch of {_rows(batch)}: largest absolute difference "
                    f"{abs_difference.max():.3g}, relative {rel_difference.max():.3g}; worst at "
                    f"{tuple(int(i) for i in worst)}: expected {values[worst]:.9g}, "
                    f"got {got[name][worst]:.9g}"
                )
    if wrong:
        raise ValuesError(
            f"The artifact's outputs must be finite and within atol={atol:g}, rtol={rtol:g} of "
            "the Keras model's. If the model is deep and its outputs are large, they differ by "
            "float32 rounding alone; pass a larger `atol` then. The differences are:",
            wrong,
        )
    return Differences(float(max_abs), float(max_rel), atol, rtol, len(batches))


def _differences(got, expected, atol):
    """Returns absolute and relative differences in float64; infinite where not finite."""
    got, expected = got.astype("float64"), expected.astype("float64")
    finite = np.isfinite(got) & np.isfinite(expected)
    difference = np.full(expected.shape, np.inf)
    np.subtract(got, expected, out=difference, where=finite)
    difference = np.abs(difference)
    relative = np.where(finite, 0.0, np.inf)
    size = np.abs(expected)
    np.divide(difference, size, out=relative, where=finite & (size > atol))
    return difference, relative


def _expected(model, signature, batch):
    try:
        outputs = run_model(model, [batch[info.name] for info in signature.inputs])
    except Exception as error:
        shapes = {name: value.shape for name, value in batch.items()}
        raise ValueError(
            "The Keras model must run on the samples that an artifact is verified with; give "
            "inputs that it accepts as `samples`. "
            f"Received: samples of shape {shapes}, on which the model failed with: {error}"
        ) from error
    expected = {
        info.name: keras.ops.convert_to_numpy(output)
        for info, output in zip(signature.outputs, outputs, strict=True)
    }
    wrong = [
        f"{name!r}, batch of {_rows(batch)}: {values.size - finite} of {values.size} values"
        for name, values in expected.items()
        if (finite := np.count_nonzero(np.isfinite(values.astype("float64")))) < values.size
    ]
    if wrong:
        raise ValuesError(
            "The Keras model's own outputs must be finite to be compared; give inputs on which "
            "they are as `samples`. Not finite are:",
            wrong,
        )
    return expected


def _rows(batch):
    return len(next(iter(batch.values())))


def _batches(samples, signature):
    needed = max(BATCH_SIZES)
    wanted = {info.name: info for info in signature.inputs}
    if not isinstance(samples, Mapping) or samples.keys() != wanted.keys():
        received = sorted(samples) if isinstance(samples, Mapping) else type(samples).__name__
        raise ValueError(
            "`samples` must map the name of every input to an array. "
            f"Received: {received} for inputs {sorted(wanted)}"
        )
    try:
        arrays = {
            name: np.asarray(samples[name], None if info.dtype == "string" else info.dtype)
            for name, info in wanted.items()
        }
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`samples` must hold values of the inputs' dtypes; NumPy says: {error}. "
            f"Received: samples for {[f'{info.name} ({info.dtype})' for info in signature.inputs]}"
        ) from error
    shapes = {name: array.shape for name, array in arrays.items()}
    if len({shape[:1] for shape in shapes.values()}) != 1 or min(shapes.values()) < (needed,):
        raise ValueError(
            f"The arrays of `samples` must be of one length, at least {needed}. "
            f"Received: shapes={shapes}"
        )
    return [{name: array[:size] for name, array in arrays.items()} for size in BATCH_SIZES]


def _compare_signatures(got: Signature, expected: Signature) -> None:
    pairs = list(zip(("input", "output"), got, expected, strict=True))
    wrong = [
        f"{side}s: expected {sorted(_by_name(want))}, got {sorted(_by_name(have))}"
        for side, have, want in pairs
        if _by_name(have).keys() != _by_name(want).keys()
    ]
    if wrong:
        raise NamesError("The artifact's names must be the Keras model's; they are:", wrong)
    for attribute, error in (("shape", ShapeError), ("dtype", DtypeError)):
        wrong = [
            f"{side} {info.name!r}: expected {expected}, got {found}"
            for side, have, want in pairs
            for info in want
            if (found := getattr(_by_name(have)[info.name], attribute))
            != (expected := getattr(info, attribute))
            and not (attribute == "shape" and side == "output" and _refines(found, expected))
        ]
        if wrong:
            raise error(
                f"Every {attribute} of the artifact must be the Keras model's; it is not for:",
                wrong,
            )


def _refines(shape, expected):
    """Tells whether a shape states sizes that Keras leaves free and TensorFlow works out.

    The batch axis stays free.
    """
    return (
        len(shape) == len(expected)
        and shape[:1] == expected[:1]
        and all(want in (None, have) for have, want in zip(shape, expected, strict=True))
    )


def _compare_arrays(got, expected, attribute, error):
    wrong = [
        f"{name!r}: expected {getattr(values, attribute)}, got {getattr(got[name], attribute)}"
        for name, values in expected.items()
        if getattr(got[name], attribute) != getattr(values, attribute)
    ]
    if wrong:
        raise error(f"Every output's {attribute} must be the Keras model's; it is not for:", wrong)


def _by_name(infos):
    return {info.name: info for info in infos}
