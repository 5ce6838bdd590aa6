"""Loading and describing files of Keras models."""

import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras

from keras_bin.gates.summaries import RhoSummary, rho_summary
from keras_bin.keras_internals import layers_inside
from keras_bin.messages import listed
from keras_bin.networks.graph import as_functional
from keras_bin.networks.signature import TensorInfo, named_tensors

from ..files.facts import parse_json
from ..files.remote import refuse_remote
from ..files.size import size_on_disk
from ..results.plain import plain
from .keras_config import functions_of_keras, own_objects, read_config
from .load_errors import refuse_lambdas, why_not_loaded
from .user_modules import import_modules

_METADATA = "metadata.json"
_H5_METADATA = ("keras_version", "backend")


class KerasFile(NamedTuple):
    """What is in a `.keras` or `.h5` file.

    Attributes:
        path: the file.
        size: in bytes.
        metadata: what Keras recorded about it, such as `keras_version`; empty if there is none.
        inputs: names, shapes and dtypes, as an export of the model would have them; empty if
            it could not be exported because the inputs of the model are unknown.
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


def load_keras_file(
    path: Path, imports: Sequence[str | os.PathLike[str]] = (), unsafe: bool = False
) -> keras.Model:
    """Loads a model uncompiled, so custom losses, metrics and optimizers are not needed.

    Args:
        path: a `.keras` file, or an `.h5` file with a whole model.
        imports: modules and files to import first; see `import_modules`. Of packages, the modules
            that the model names are imported, too. The model's classes and functions are found in
            them whether they are registered or not.
        unsafe: whether Python code stored in the file, such as that of Lambda layers, may run; as
            Keras's `safe_mode=False`.

    Raises:
        FileNotFoundError: there is no file at `path`, or at one in `imports`.
        ImportError: a module cannot be imported.
        ValueError: Keras cannot load the model, or `path` is an address of an object store.
    """
    refuse_remote(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"A model must be a .keras file. Received: {str(path)!r}, which is not a file"
        )
    config = read_config(path)
    if not unsafe:
        refuse_lambdas(path, config)
    modules = import_modules(imports, [each.module for each in own_objects(config)])
    custom_objects = _found_in(modules, config)
    try:
        model = keras.saving.load_model(path, custom_objects, compile=False, safe_mode=not unsafe)
    except Exception as error:  # Keras raises what its zip, JSON and HDF5 readers raise
        reason = why_not_loaded(path, config, custom_objects, bool(modules), error)
        raise ValueError(reason) from error
    _warn_of_names_of_keras(modules, config)
    return model


def _found_in(modules, config):
    """Returns the classes and functions in modules that a config names, by these names."""
    return {
        each.key: vars(module)[each.name]
        for module in reversed(modules)
        for each in own_objects(config)
        if each.name in vars(module)
    }


def _warn_of_names_of_keras(modules, config):
    """Warns of functions that a model may have been trained with but that Keras replaced."""
    names = functions_of_keras(config)
    for module in modules:
        own = [
            name
            for name, value in vars(module).items()
            if name in names and getattr(value, "__module__", None) == module.__name__
        ]
        if own:
            warnings.warn(
                f"The model uses Keras's own {listed(own)}, although module {module.__name__!r} "
                "has such a function, too: Keras saves both under that name. If the model was "
                "trained with the module's, rename and register it, and save the model again.",
                stacklevel=3,
            )


def describe_keras_file(
    path: Path, imports: Sequence[str | os.PathLike[str]] = (), unsafe: bool = False
) -> KerasFile:
    """Loads and describes a model.

    Args:
        path: as for `load_keras_file`.
        imports: as for `load_keras_file`.
        unsafe: as for `load_keras_file`.

    Raises:
        FileNotFoundError: as for `load_keras_file`.
        ImportError: as for `load_keras_file`.
        ValueError: as for `load_keras_file`, or its metadata is not a JSON object.
    """
    model = load_keras_file(path, imports, unsafe)
    try:
        inputs, outputs = named_tensors(as_functional(model))
    except ValueError:
        inputs = outputs = ()
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
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return {key: file.attrs[key] for key in _H5_METADATA if key in file.attrs}
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
