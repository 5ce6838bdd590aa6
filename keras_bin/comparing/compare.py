"""Comparing a copy of a model with its original, on a generated batch."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from keras_bin.comparing.original import Norms, Original, Outputs, Tolerance
from keras_bin.sampling.trial import Batch


class Comparison(NamedTuple):
    """How the copy of a model compares with its original.

    Attributes:
        ran: whether the original runs on generated inputs and gives the same finite outputs each
            time; if not, nothing was compared.
        differences: one line for each output that differs.
        uses: paths of the original's layers whose weights the copy reads.
    """

    ran: bool
    differences: Sequence[str] = ()
    uses: Sequence[str] = ()


def compare(
    model: keras.Model,
    copy: keras.Model,
    tolerance: Tolerance,
    state: Sequence = (),
    trained: Norms | None = None,
) -> Comparison:
    """Compares a copy with its original on one generated batch, in inference or training mode.

    Each runs once, and again only if they differ: a float may then also differ by as much as
    rounding the inputs changes it, and a few integers may differ. If that is not enough in
    inference mode, they are compared on inputs that suit the model: on other inputs, depth may
    amplify rounding without limit. Neither model changes.

    Args:
        model: the original.
        copy: the copy, Functional.
        tolerance: see `Tolerance`.
        state: variables of the original and their values during the comparison.
        trained: in training mode, the normalization layers of both, in pairs; their moving
            statistics are compared as well. None means inference mode.
    """
    original = Original(model, tolerance, state, trained)
    batch, expected = original.first_outputs()
    if batch is None:
        batch, expected = original.first_outputs(suited=True)
    if batch is None:
        return Comparison(ran=False)
    found = _compare_on(batch, expected, original, copy)
    # In training mode, layers normalize whatever they get, and inputs that suit the model would
    # hide whether they use batch statistics.
    if found.differences and trained is None:
        suited, outputs = original.first_outputs(suited=True)
        if suited is not None and not _compare_on(suited, outputs, original, copy).differences:
            return Comparison(ran=True)
    if found.differences:
        return found._replace(uses=original.uses(copy, batch))
    return found


def _compare_on(
    batch: Batch, expected: Outputs, original: Original, copy: keras.Model
) -> Comparison:
    try:
        got = original.run_copy(copy, batch)
    except Exception as error:  # the copy of a custom layer may fail in any way
        return Comparison(True, [f"all outputs; running it failed with: {error}"])
    if not original.differences(got, expected):
        return Comparison(ran=True)
    if original.is_random(batch, expected):
        return Comparison(ran=False)
    return Comparison(True, original.differences(got, expected, original.rounding(batch, expected)))
