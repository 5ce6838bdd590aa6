"""The file in a version's folder that says what it holds, and what was checked."""

import datetime
import hashlib
import json
import platform
from pathlib import Path

import keras
import numpy as np

import keras_bin

from ..files.remote import refuse_remote

FILE = "keras_bin.json"
FORMAT = 1


def manifest(
    *,
    name: str,
    inputs: list[dict],
    outputs: list[dict],
    checks: dict,
    layers: list[dict],
    rho: list[dict],
    source: dict | None = None,
) -> dict:
    """Puts together what `write_manifest` writes, from plain values that JSON knows.

    Args:
        name: of the model.
        inputs: name, shape and dtype of each; None stands for a free size.
        outputs: likewise.
        checks: what was checked before the version got its name, with figures.
        layers: what became of each layer.
        rho: one summary for each layer that has gates.
        source: what `source_file` returns, or None.
    """
    import tensorflow as tf

    return {
        "format": FORMAT,
        "model": {"name": name, "inputs": inputs, "outputs": outputs},
        "exported": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "keras_bin": keras_bin.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "source": source,
        "checks": checks,
        "layers": layers,
        "rho": rho,
    }


def write_manifest(folder: Path, content: dict) -> None:
    """Writes `keras_bin.json`, in which every number is finite.

    Raises:
        ValueError: one is not.
    """
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / FILE).write_text(f"{text}\n", encoding="utf-8")


def source_file(path: Path) -> dict:
    """Returns the name and the SHA-256 digest of the file that a model was loaded from.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: `path` is an address of an object store.
    """
    refuse_remote(path)
    if not path.is_file():
        raise FileNotFoundError(
            "`source` must be the .keras file that the model was loaded from; leave it out for a "
            f"model that is in no file. Received: source={str(path)!r}"
        )
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"file": path.name, "sha256": digest.hexdigest()}
