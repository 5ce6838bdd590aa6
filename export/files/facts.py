"""Checking the types of what an artifact says about its own export, before use.

A type is one of Python's, a list with the type of all items, a dict of types by key, or a dict that
maps `str` to the type of all values. A key may be missing, and any value may be None.
"""

import json
from pathlib import Path
from typing import Any

LAYERS = [
    {
        "layer": str,
        "kind": str,
        "became": str,
        "into": str,
        "reason": str,
        "channels": int,
        "snapped": int,
        "clipped": int,
    }
]
GATES = [
    {
        "layer": str,
        "channels": int,
        "mean": float,
        "minimum": float,
        "maximum": float,
        "at_zero": int,
        "at_one": int,
        "near_zero": int,
        "near_one": int,
    }
]
TENSORS = [{"name": str, "shape": [int], "dtype": str}]
# Names that a caller gave, in the order of the model's inputs or outputs.
GIVEN_NAMES = {"inputs": [str], "outputs": [str]}
_NAMES = {str: "text", int: "an integer", float: "a number", list: "a list", dict: "an object"}


def parse_json(text: str | bytes, where: str) -> Any:
    """Parses a text as JSON.

    Args:
        text: the text.
        where: what the text is, for the error.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{where} must be JSON; write the model again. The parser says: {error}"
        ) from error


def check_facts(value: Any, expected: Any, path: Path, key: str = "") -> None:
    """Checks the types of what an artifact says about its export.

    Args:
        value: what it says.
        expected: its type, as described in this module.
        path: the file that says it.
        key: the place in the file, keys joined by dots.

    Raises:
        ValueError: a value has another type; the message names the file and the key.
    """
    if value is None:
        return
    kind = expected if isinstance(expected, type) else type(expected)
    allowed: Any = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise ValueError(
            f"What an artifact says about its export must have the types that keras_bin writes; "
            f"export the model again. Received: {str(path)!r}, in which {key!r} must be "
            f"{_NAMES[kind]} and is {_short(value)}"
        )
    if kind is list:
        for number, item in enumerate(value):
            check_facts(item, expected[0], path, f"{key}[{number}]")
    elif kind is dict:
        for name, item in value.items():
            if (inner := expected.get(name, expected.get(str))) is not None:
                check_facts(item, inner, path, f"{key}.{name}" if key else name)


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
