"""What an export changes for the clients of the artifact that it replaces."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from keras_bin.networks.signature import Signature, TensorInfo

_ADVICE = (
    "pass the old names as `input_names` and `output_names` (--input-names and --output-names in a "
    "shell)"
)


def warn_of_changes(
    path: Path,
    read: Callable[[Path], Signature],
    after: Signature,
    ordered: bool = False,
    advice: str = _ADVICE,
) -> None:
    """Warns if clients of an artifact have to change because an export takes its place.

    Args:
        path: the artifact that clients use before the export.
        read: reads its signature.
        after: the signature of the new artifact.
        ordered: whether the order of inputs and outputs counts as well.
        advice: how to keep the old names.
    """
    try:
        lines = changes(read(path), after, ordered)
    except (OSError, ValueError) as error:
        message = (
            f"It is not known whether clients of {str(path)!r} have to change, as the artifact "
            f"cannot be read: {error}"
        )
    else:
        if not lines:
            return
        message = (
            f"Clients of {str(path)!r} have to change, as this export has other names, dtypes or "
            f"shapes; {advice} to keep those. "
            f"The changes are: {'; '.join(lines)}"
        )
    warnings.warn(message, stacklevel=4)  # where the user calls the export


def changes(before: Signature, after: Signature, ordered: bool = False) -> list[str]:
    """Returns a line for the inputs and one for the outputs, where they differ: old → new.

    Args:
        before: the signature that clients use; a shape of None is not known, and fits any.
        after: the signature that they find afterwards.
        ordered: whether the order counts as well.
    """
    lines = []
    for side, old, new in zip(Signature._fields, before, after, strict=True):
        if ordered:
            pairs = list(itertools.zip_longest(old, new))
            gone = [x for x, y in pairs if x and not (y and _same(x, y))]
            added = [y for x, y in pairs if y and not (x and _same(x, y))]
        else:
            gone = [x for x in old if not any(_same(x, y) for y in new)]
            added = [y for y in new if not any(_same(x, y) for x in old)]
        if gone or added:
            lines.append(f"{side}: {_listed(gone)} → {_listed(added)}")
    return lines


def _same(old: TensorInfo, new: TensorInfo) -> bool:
    return old[::2] == new[::2] and old.shape in (None, new.shape)


def _listed(infos: Sequence[TensorInfo]) -> str:
    return ", ".join(f"{x.name!r} ({x.dtype}, {_shape(x)})" for x in infos) or "none"


def _shape(info: TensorInfo) -> str:
    return "any shape" if info.shape is None else f"shape {info.shape}"
