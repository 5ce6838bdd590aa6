"""Comparing an artifact with the model that it was exported from."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_bin.errors import ArgumentError
from keras_bin.networks.graph import as_functional, check_model
from keras_bin.networks.tensor_names import Names
from keras_bin.runtimes import ANY
from keras_bin.sampling.batches import rows
from keras_bin.stages import begin_stage, stages_printed

from ..files.remote import refuse_remote
from ..models.exported_model import ExportedModel
from ..results.errors import DtypeError, ShapeError, ValuesError
from ..results.verification import OutputCheck, Verification
from .agreement import check_arrays, check_signatures
from .artifact import Artifact, load_artifact
from .expected import Expected
from .tolerance import check_tolerances, tolerance_of


def verify(
    artifact: str | os.PathLike[str],
    model: keras.Model,
    samples: Mapping[str, np.ndarray] | None = None,
    *,
    input_names: Names | None = None,
    output_names: Names | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    verbose: bool = False,
) -> Verification:
    """Checks that an artifact computes what a Keras model computes.

    The artifact is loaded from disk. Names, shapes, dtypes and then the values of every output are
    compared, on `samples` or on inputs that are generated for the model: batches of 1, 3 and 16,
    blank images among them, and, if sizes are free, odd, oblong and tiny ones. An output is right
    if `abs(got - expected) <= atol + rtol * abs(expected)` and both are finite; `atol` and `rtol`
    are 1e-4 if they are not given. For integers, which may be indices, `rtol` is 0.

    If neither is given, an output may also be about as near to the exact result as the model is:
    `abs(got - exact) <= 4 * max(abs(expected - exact))`. Here `exact` comes from the model's graph
    in float64, and the maximum is taken over an output on the same row, or on other rows up to
    0.25 % of its largest value on this row. Deep networks need this for their float32 rounding
    alone; it is checked only if the first rule fails. If it does not suffice, the change of
    `exact` when inputs move by two units in the last place counts as rounding, too, as the model's
    own rounding may be small by chance. Rows on which rounding moves the model by more than 0.25 %
    of its largest output there tell little: they are counted as `unsteady`, and have a maximum of
    their own. Only the first rule applies to a model that does not run in float64, or that is
    steady on fewer than 3 rows.

    `expected` comes from `model` itself, in inference mode, as in `predict`. A half-precision
    model is compared in float32, as its graph computes in that precision. Rho values outside
    [0, 1] are clipped, as in the export.

    Args:
        artifact: a SavedModel directory (`base/<version>`) or an ONNX file.
        model: the built model that it was exported from.
        samples: maps input names, as in the artifact, to arrays with at least 3 rows, to use
            instead of generated inputs, in batches of 1, 3 and all rows (at most 64). Needed if an
            input is text, or if the model requires values that cannot be guessed.
        input_names: names of the inputs in the artifact, if they are not the model's; see
            `keras_bin.export.export_saved_model`. By default, the names that it was exported with,
            as recorded in the artifact.
        output_names: likewise for the outputs.
        atol: absolute tolerance, at least 0, in output units; by default 1e-4, or 0.01 for an
            artifact written with `runtime="openvino"` that has a gate below 1. If `atol` or `rtol`
            is given, both apply as they are, and there is no allowance for rounding.
        rtol: relative tolerance, likewise; for outputs that are not integers.
        verbose: whether to print each stage and its duration in seconds.

    Returns:
        A `Verification` with the differences found, by batch and output.

    Raises:
        FileNotFoundError: there is no artifact at that path.
        NamesError: inputs or outputs have other names. This and the next three errors are
            subclasses of VerificationError, which is a ValueError.
        ShapeError: an input or output has another shape.
        DtypeError: an input or output has another dtype.
        ValuesError: an output differs by more than is allowed, or is not finite. If the model's
            own outputs are finite, its attribute `verification` is the `Verification`.
        TypeError: `model` is not a Keras model, or `input_names` or `output_names` is not a list
            or dict.
        ValueError: `model`, a name, `samples` or a tolerance cannot be used, or `artifact` is the
            address of an object store, or is int8 and no tolerance is given.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_saved_model, verify
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as base:
    ...     path = export_saved_model(model, base, verbose=False).path
    ...     found = verify(path, model, atol=1e-5)
    >>> found.passed, found.max_abs < 1e-5, found.samples
    (True, True, 3)
    """
    refuse_remote(artifact)
    check_model(model)
    check_tolerances(atol, rtol)
    with stages_printed(verbose):
        begin_stage("load")
        loaded = load_artifact(Path(artifact))
        if loaded.quantization and atol is None and rtol is None:
            raise ArgumentError(
                "`artifact` must be in float to be compared within rounding; verify the file that "
                "it was quantized from, or pass `atol` and `rtol`. "
                f"Received: {str(artifact)!r}, which is {loaded.quantization}"
            )
        graph = as_functional(model)
        exported = ExportedModel(
            graph,
            input_names=_names(input_names, loaded.given_names.get("inputs"), graph.inputs),
            output_names=_names(output_names, loaded.given_names.get("outputs"), graph.outputs),
        )
        begin_stage("sample")
        expected = Expected(exported, samples)
        begin_stage("verify")
        return compare(loaded, expected, atol, rtol, loaded.runtime)


def _names(given: Names | None, recorded: list[str] | None, tensors: list[Any]) -> Names | None:
    """Returns the given names, otherwise those that an artifact of this model records."""
    return recorded if given is None and len(recorded or ()) == len(tensors) else given


def compare(
    artifact: Artifact,
    expected: Expected,
    atol: float | None,
    rtol: float | None,
    runtime: str = ANY,
) -> Verification:
    """Compares a loaded artifact with what its model computes; see `verify`.

    Raises:
        NamesError: inputs or outputs have other names.
        ShapeError: an input or output has another shape.
        DtypeError: an input or output has another dtype.
        ValuesError: an output differs by more than is allowed, or is not finite.
        VerificationError: the artifact does not run.
        ValueError: the model does not run on a batch; see `Reference.outputs`.
    """
    check_signatures(artifact.signature, expected.exported.signature)
    # Without an instance branch, all runtimes get the same operators.
    mixed = any(layer.at_one < layer.channels for layer in expected.exported.gates.summaries())
    tolerance = tolerance_of(atol, rtol, runtime if mixed else ANY)
    got = []
    for batch, outputs in zip(expected.batches, expected.outputs, strict=True):
        got.append(artifact.run(batch))
        check_arrays(got[-1], outputs, "shape", ShapeError)
        check_arrays(got[-1], outputs, "dtype", DtypeError)

    def checked(moved: bool) -> list[OutputCheck]:
        return [
            tolerance.check(
                name,
                rows(batch),
                got[index][name],
                values,
                functools.partial(expected.exact.of, index, name, moved),
            )
            for index, batch in enumerate(expected.batches)
            for name, values in expected.outputs[index].items()
        ]

    checks = checked(moved=False)
    if tolerance.follows_rounding and not all(check.passed for check in checks):
        again = checked(moved=True)
        # If moves do not make all outputs right, the stricter rule is reported.
        checks = again if all(check.passed for check in again) else checks
    found = Verification(tuple(checks), tolerance.atol, tolerance.rtol)
    if not found.passed:
        raise ValuesError(
            tolerance.rule(expected.exact.unavailable),
            [str(check) for check in checks if not check.passed],
            found,
        )
    return found
