"""Whether an artifact has the names, shapes and dtypes of its model."""

import numpy as np

from keras_bin.networks.signature import Signature

from ..results.errors import DtypeError, NamesError, ShapeError, VerificationError


def check_signatures(got: Signature, expected: Signature) -> None:
    """Checks what an artifact states about its inputs and outputs.

    Raises:
        NamesError: inputs or outputs have other names than the model's.
        ShapeError: one has another shape.
        DtypeError: one has another dtype.
    """
    pairs = list(zip(("input", "output"), got, expected, strict=True))
    wrong = [
        f"{side}s: expected {sorted(_by_name(want))}, got {sorted(_by_name(have))}"
        for side, have, want in pairs
        if _by_name(have).keys() != _by_name(want).keys()
    ]
    if wrong:
        raise NamesError(
            "Input and output names must match the Keras model's; check that the artifact was "
            "exported from this model, or pass the artifact's names as `input_names` and "
            "`output_names` (--input-names and --output-names in a shell). Differences:",
            wrong,
        )
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
            raise error(_rule(f"{attribute}s"), wrong)


def check_arrays(
    got: dict[str, np.ndarray],
    expected: dict[str, np.ndarray],
    attribute: str,
    error: type[VerificationError],
) -> None:
    """Checks that outputs have the expected `attribute`, which is `"shape"` or `"dtype"`.

    Raises:
        VerificationError: of class `error`, if an output has a different one.
    """
    wrong = [
        f"{name!r}: expected {getattr(values, attribute)}, got {getattr(got[name], attribute)}"
        for name, values in expected.items()
        if getattr(got[name], attribute) != getattr(values, attribute)
    ]
    if wrong:
        raise error(_rule(f"{attribute}s", "Output"), wrong)


def _rule(what, sides="Input and output"):
    return (
        f"{sides} {what} must match the Keras model's; check that the artifact was exported from "
        "this model. Differences:"
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


def _by_name(infos):
    return {info.name: info for info in infos}
