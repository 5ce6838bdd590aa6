"""Names of inputs and outputs: unique, valid as TensorFlow arguments, or given by the caller."""

import itertools
import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from keras_bin.errors import ArgumentError

# A name for each tensor, or a mapping from current names to new ones.
Names: TypeAlias = list[str] | tuple[str, ...] | Mapping[str, str]


def unique(names: Sequence[str]) -> list[str]:
    """Numbers repeated names, so that all differ."""
    found: list[str] = []
    for name in names:
        if name in found:
            numbered = (f"{name}_{number}" for number in itertools.count(1))
            name = next(new for new in numbered if new not in {*names, *found})
        found.append(name)
    return found


def argument_name(name: str) -> str:
    """Makes a name valid as the name of an argument."""
    name = re.sub("[^A-Za-z0-9_]", "_", name)
    starts_right = re.match("[A-Za-z]", name) and name != "self"
    return name if starts_right and not keyword.iskeyword(name) else f"input_{name}"


def renamed(names: Sequence[str], given: Names | None, side: str) -> list[str]:
    """Returns names, replaced by those that the caller gives.

    Args:
        names: the current names, in the order in which Keras flattens inputs or outputs.
        given: a name for each of them, or a mapping from current names to new ones, or None.
        side: `"input"` or `"output"`.

    Raises:
        TypeError: `given` is something else.
        ArgumentError: a name is unknown, impossible or given twice, or there are too many or too
            few.
    """
    if given is None:
        return list(names)
    argument = f"{side}_names"
    received = f"Received: {argument}={given!r}"
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            raise ArgumentError(
                f"`{argument}` must map current names of the {side}s to new ones; the current "
                f"names are {list(names)}. {received}, of which {unknown} are unknown"
            )
        found = [given.get(name, name) for name in names]
    elif isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ArgumentError(
                f"`{argument}` must contain a name for each {side}; the current names are "
                f"{list(names)}. To rename only some, pass a dict from old names to new ones. "
                f"{received}"
            )
        found = list(given)
    else:
        raise TypeError(
            f"`{argument}` must be a list with a name for each {side}, or a dict from old names "
            f"to new ones; the current names are {list(names)}. {received}"
        )
    if wrong := [name for name in found if not _is_possible(name, side)]:
        rule = (
            "text of ASCII letters, digits and '_' that starts with a letter and is not 'self' "
            "or a Python keyword, as TensorFlow uses them as argument names"
            if side == "input"
            else "printable text that is not empty"
        )
        raise ArgumentError(
            f"Names of {side}s must be {rule}. {received}, of which {wrong} are not"
        )
    if doubled := sorted({name for name in found if found.count(name) > 1}):
        raise ArgumentError(
            f"Names of {side}s must differ. {received}, which would use {doubled} more than once"
        )
    return found


def _is_possible(name: Any, side: str) -> bool:
    if not isinstance(name, str):
        return False
    return name == argument_name(name) if side == "input" else bool(name) and name.isprintable()
