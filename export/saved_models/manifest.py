"""Writing `keras_bin.json`: what the folder of a version holds and what was checked."""

import datetime
import hashlib
import json
import platform
from pathlib import Path

import keras
import numpy as np

import keras_bin

from ..files.manifest import FORMAT, MANIFEST_FILE
from ..files.remote import refuse_remote


def manifest(
    *,
    name: str,
    inputs: list[dict],
    outputs: list[dict],
    given_names: dict[str, list[str] | None],
    checks: dict,
    layers: list[dict],
    rho: list[dict],
    runtime: str,
    source: dict | None = None,
) -> dict:
    """Returns the content of a manifest, made of plain values that JSON can hold.

    Args:
        name: name of the model.
        inputs: name, shape and dtype of each; None stands for a free size.
        outputs: likewise.
        given_names: see `keras_bin.export.models.exported_model.ExportedModel`.
        checks: what was checked before the version was published, with figures.
        layers: what became of each layer.
        rho: a summary of the gates of each BIN layer.
        runtime: the runtime that the artifact was written for.
        source: what `source_file` returns, or None.
    """
    import tensorflow as tf

    return {
        "format": FORMAT,
        "model": {
            "name": name,
            "inputs": inputs,
            "outputs": outputs,
            "given_names": given_names,
        },
        "exported": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "keras_bin": keras_bin.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "runtime": runtime,
        "source": source,
        "checks": checks,
        "layers": layers,
        "rho": rho,
    }


def write_manifest(folder: Path, content: dict) -> None:
    """Writes `keras_bin.json`.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(f"{text}\n", encoding="utf-8")


def source_file(path: Path) -> dict:
    """Returns the name and the SHA-256 digest of the file that a model was loaded from.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: `path` is the address of an object store.
    """
    refuse_remote(path)
    if not path.is_file():
        raise FileNotFoundError(
            "`source` must be the .keras file that the model was loaded from; leave it out if the "
            f"model was not loaded from one. Received: source={str(path)!r}"
        )
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"file": path.name, "sha256": digest.hexdigest()}
