"""Reading `keras_bin.json`, in which a version says what it holds and what was checked."""

from pathlib import Path
from typing import Any

from .facts import GATES, GIVEN_NAMES, LAYERS, TENSORS, check_facts, parse_json

MANIFEST_FILE = "keras_bin.json"
FORMAT = 1
# The types of what is read, as `facts` describes them.
FACTS = {
    "model": {
        "inputs": TENSORS,
        "outputs": TENSORS,
        "given_names": GIVEN_NAMES,
    },
    "exported": str,
    "versions": {str: str},
    "runtime": str,
    "source": {str: str},
    "checks": {
        "structure": [str],
        "values": {"max_abs": float, "samples": int, "atol": float, "rtol": float},
        "warm_up": {"records": int},
    },
    "layers": LAYERS,
    "rho": GATES,
}


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest in the folder of a SavedModel, or None if there is none.

    Raises:
        ValueError: it is damaged, or a value is not of the type that an export writes.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            "The manifest of a SavedModel must be text in UTF-8; export the model again. "
            f"Received: {str(path)!r}; the decoder says: {error}"
        ) from error
    content = parse_json(text, f"The manifest of a SavedModel, {str(path)!r},")
    if not isinstance(content, dict):
        raise ValueError(
            "The manifest of a SavedModel must be a JSON object; export the model again. "
            f"Received: {str(path)!r}, which holds {content!r}"
        )
    if content.get("format") == FORMAT:
        check_facts(content, FACTS, path)
    return content
