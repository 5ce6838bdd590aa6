"""Reading `.keras` files, and describing them."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_bin.gates.summaries import RhoSummary, rho_summary
from keras_bin.keras_internals import layers_inside
from keras_bin.networks.graph import as_functional, is_graph
from keras_bin.networks.signature import TensorInfo, named_tensors

from ..files.facts import parse_json
from ..files.remote import refuse_remote
from ..files.size import size_on_disk
from ..results.plain import plain

_METADATA = "metadata.json"


class KerasFile(NamedTuple):
    """What is in a `.keras` file.

    Attributes:
        path: the file.
        size: in bytes.
        metadata: what Keras recorded about it, such as `keras_version`; empty if there is none.
        inputs: names, shapes and dtypes, as an export of the model would have them; empty
            for a subclassed model.
        outputs: likewise.
        layers: number of layers, including those of nested models.
        parameters: number of scalars in all weights.
        rho: a `RhoSummary` for each BIN layer, from input to output.
    """

    path: Path
    size: int
    metadata: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    layers: int
    parameters: int
    rho: tuple[RhoSummary, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold."""
        return {"kind": "keras", **plain(self)}


def load_keras_file(path: Path) -> keras.Model:
    """Loads a model, uncompiled.

    Raises:
        FileNotFoundError: there is no file at `path`.
        ValueError: Keras cannot load it, or `path` is an address of an object store.
    """
    refuse_remote(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"A model must be a .keras file. Received: {str(path)!r}, which is not a file"
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises what its zip, JSON and HDF5 readers raise
        raise ValueError(
            "A model must be a whole .keras file that Keras can load; register a custom class with "
            "keras.saving.register_keras_serializable, or load the model in Python with "
            "custom_objects, and export, verify or convert it there. "
            f"Received: {str(path)!r}; Keras says: {error}"
        ) from error


def describe_keras_file(path: Path) -> KerasFile:
    """Loads a model, and describes it.

    Raises:
        FileNotFoundError: as for `load_keras_file`.
        ValueError: as for `load_keras_file`, or its metadata is not a JSON object.
    """
    model = load_keras_file(path)
    inputs, outputs = named_tensors(as_functional(model)) if is_graph(model) else ((), ())
    return KerasFile(
        path=path,
        size=size_on_disk(path),
        metadata=_metadata(path),
        inputs=inputs,
        outputs=outputs,
        layers=sum(not isinstance(layer, keras.Model) for layer in layers_inside(model)),
        parameters=model.count_params(),
        rho=tuple(rho_summary(model)),
    )


def _metadata(path):
    with zipfile.ZipFile(path) as archive:
        if _METADATA not in archive.namelist():
            return {}
        metadata = parse_json(archive.read(_METADATA), f"{_METADATA!r} in {str(path)!r}")
    if not isinstance(metadata, dict):
        raise ValueError(
            f"{_METADATA!r} in a .keras file must be a JSON object; save the model again. "
            f"Received: {str(path)!r}, in which it is {metadata!r}"
        )
    return metadata
