"""Describing model files and artifacts."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from .files.remote import refuse_remote
from .files.saved_model import is_saved_model
from .files.size import size_on_disk
from .models.keras_file import KerasFile, describe_keras_file
from .onnx_files.reader import OnnxFile, describe_onnx
from .results.plain import plain
from .saved_models.reader import SavedModelFolder, describe_saved_model
from .saved_models.versions import versions


class Version(NamedTuple):
    """One version of a model.

    Attributes:
        version: its number, which is also the name of its folder.
        size: total size of its files, in bytes.
    """

    version: int
    size: int


class VersionsFolder(NamedTuple):
    """The folder that holds the versions of a model, as TensorFlow Serving watches it.

    Attributes:
        path: the folder.
        size: total size of its files, in bytes.
        versions: the SavedModels in it, the highest version last.
    """

    path: Path
    size: int
    versions: tuple[Version, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold."""
        return {"kind": "versions", **plain(self)}


def describe(
    path: str | Path, imports: Sequence[str | os.PathLike[str]] = (), unsafe: bool = False
) -> KerasFile | SavedModelFolder | OnnxFile | VersionsFolder:
    """Describes a model file or an artifact from its files, without running it.

    Args:
        path: a `.keras` file, a SavedModel directory (`base/<version>`), the folder of its
            versions (`base`), or an ONNX file.
        imports: for a `.keras` file, see `load_keras_file`.
        unsafe: for a `.keras` file, see `load_keras_file`.

    Returns:
        A description of plain values, with a class for each kind; `as_dict` returns it for JSON.

    Raises:
        FileNotFoundError: `path` is not a file or folder.
        ImportError: `path` is an ONNX file and a package of the `onnx` extra is missing, or a
            module of `imports` cannot be imported.
        ValueError: `path` is something else, damaged, or the address of an object store.

    Example:
    >>> import keras, keras_bin, tempfile
    >>> from keras_bin.export import export_saved_model
    >>> from keras_bin.export.describe import describe
    >>> inputs = keras.Input((8, 8, 3), name="image")
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> with tempfile.TemporaryDirectory() as base:
    ...     found = describe(export_saved_model(model, base, verbose=False).path)
    >>> [signature.name for signature in found.signatures]
    ['serve', 'serving_default']
    """
    refuse_remote(path)
    path = Path(path)
    if is_saved_model(path):
        return describe_saved_model(path)
    if path.is_dir():
        return _describe_versions(path)
    if not path.is_file():  # pipes and devices, which may have no end, are not files
        raise FileNotFoundError(
            "A path must lead to a .keras file, an ONNX file or a SavedModel directory; check its "
            f"spelling. Received: {str(path)!r}, which is not a file or folder"
        )
    if path.suffix == ".keras" or zipfile.is_zipfile(path) or h5py.is_hdf5(path):
        return describe_keras_file(path, imports, unsafe)
    return describe_onnx(path)


def _describe_versions(path):
    found = tuple(Version(int(each.name), size_on_disk(each)) for each in versions(path))
    if not found:
        raise ValueError(
            "A folder must be a SavedModel, with a saved_model.pb, or hold SavedModels in folders "
            f"whose names are integers. Received: {str(path)!r}"
        )
    return VersionsFolder(path, size_on_disk(path), found)
