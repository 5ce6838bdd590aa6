"""Reading the metadata of ONNX files, which says what they were exported from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .facts import GATES, GIVEN_NAMES, LAYERS, check_facts, parse_json

VERSION = "keras_bin"  # the key that only an export of keras_bin has
RUNTIME = "runtime"
QUANTIZATION = "quantization"  # what quantized a file
FACTS = {"given_names": GIVEN_NAMES, "layers": LAYERS, "rho": GATES}  # values that are JSON


def facts_in(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    """Returns those values of the metadata of an ONNX file that are JSON, parsed.

    Other programs may use the same keys; what they wrote holds no facts.

    Args:
        metadata: the `metadata_props` of the file.
        path: the file, for the error.

    Raises:
        ValueError: a value is not of the type that an export writes.
    """
    facts = {}
    for key, expected in FACTS.items() if VERSION in metadata else ():
        if key in metadata:
            where = f"The value of {key!r} in the metadata of {str(path)!r}"
            facts[key] = parse_json(metadata[key], where)
            check_facts(facts[key], expected, path, key)
    return facts
