"""The version that clients use before another is published."""

from pathlib import Path

from keras_bin.networks.signature import Signature, TensorInfo

from ..files.manifest import FORMAT, read_manifest
from ..files.saved_model import is_saved_model
from .meta_graph import read_graph, signatures, specs
from .versions import versions


def served_before(base: Path, version: int | None) -> Path | None:
    """Returns the version that an export replaces, otherwise the highest; None if there is none.

    Args:
        base: folder of the model's versions.
        version: the version to be written; None for the next free one.
    """
    if version is not None and is_saved_model(base / str(version)):
        return base / str(version)
    return next(reversed(versions(base)), None)


def stated_signature(path: Path) -> Signature:
    """Returns the signature of a version, as stated by its manifest, otherwise by its graph.

    Raises:
        OSError: a file cannot be opened.
        ValueError: a file is damaged, or the graph has no signature `serving_default`.
    """
    manifest = read_manifest(path) or {}
    model = manifest.get("model") or {}
    if manifest.get("format") == FORMAT and model.get("inputs") and model.get("outputs"):
        return Signature(*(_infos(model[side]) for side in Signature._fields))
    found = signatures(read_graph(path))
    if "serving_default" not in found:
        raise ValueError(
            f"It must have a signature 'serving_default'. Received: signatures {list(found)}"
        )
    return Signature(
        *(
            tuple(
                TensorInfo(name, shape, dtype)
                for name, (dtype, shape) in specs(getattr(found["serving_default"], side)).items()
            )
            for side in Signature._fields
        )
    )


def _infos(entries):
    return tuple(
        TensorInfo(entry.get("name"), _shape(entry.get("shape")), entry.get("dtype"))
        for entry in entries
    )


def _shape(sizes):
    return None if sizes is None else tuple(sizes)
