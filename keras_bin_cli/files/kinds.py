"""What is at a path: a model, an artifact, or something else, and whether it is whole."""

import enum
import os
import stat
from pathlib import Path
from typing import NamedTuple

from keras_bin_cli.files import hdf5
from keras_bin_cli.files.protobuf import LENGTH, VARINT, top_level_fields
from keras_bin_cli.files.signatures import foreign_kind

SAVED_MODEL_PB = "saved_model.pb"
# The fields of ONNX's ModelProto and TensorFlow's SavedModel, the one with the graph, and the
# last one that a whole file must have: in ONNX the operator sets, which follow the graph.
_ONNX_FIELDS = {1: VARINT, 5: VARINT, **dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25, 26), LENGTH)}
_ONNX_GRAPH, _ONNX_LAST = (7, LENGTH), (8, LENGTH)
_SAVED_MODEL_FIELDS = {1: VARINT, 2: LENGTH}
_SAVED_MODEL_GRAPH = (2, LENGTH)
_HEAD = 512  # bytes that tell the kind of a file


class Kind(enum.Enum):
    """The kinds of files that commands take, and what else a path may lead to."""

    KERAS = "a .keras file"
    HDF5 = "an HDF5 file"
    SAVED_MODEL = "a SavedModel"
    VERSIONS = "the folder of a SavedModel's versions"
    ONNX = "an ONNX file"
    ARRAYS = "an .npz file"
    FOREIGN = "a file or folder of another kind, or a damaged one"
    MISSING = "nothing"


MODELS = (Kind.KERAS, Kind.HDF5)
ARTIFACTS = (Kind.SAVED_MODEL, Kind.ONNX)


class Found(NamedTuple):
    """What is at a path.

    Attributes:
        kind: its kind.
        words: what it is, in words that continue "Received: PATH, which".
    """

    kind: Kind
    words: str


def find(path: Path) -> Found:
    """Tells what is at a path from names, first bytes and sizes; large files take no longer."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _folder(path)
        if not stat.S_ISREG(mode):
            return Found(Kind.FOREIGN, "is neither a file nor a folder")
        found = _file(path)
    except FileNotFoundError:
        target = f"leads to {os.readlink(path)!r}, which is missing" if path.is_symlink() else ""
        return Found(Kind.MISSING, target or "does not exist")
    except NotADirectoryError:
        return Found(Kind.MISSING, "does not exist, as part of the path is a file")
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = error.strerror if isinstance(error, OSError) else error
        return Found(Kind.FOREIGN, f"cannot be read: {reason}")
    if found.kind is Kind.SAVED_MODEL:
        return Found(Kind.FOREIGN, "is a file of a SavedModel; give the folder that it is in")
    return found


def versions(base: Path) -> list[Path]:
    """Returns the folders of a SavedModel's versions, the lowest number first."""
    numbered = (path for path in base.iterdir() if path.name.isascii() and path.name.isdecimal())
    return sorted(filter(is_saved_model, numbered), key=lambda path: int(path.name))


def is_saved_model(folder: Path) -> bool:
    """Tells whether a folder is that of a SavedModel, complete or not."""
    return (folder / SAVED_MODEL_PB).is_file()


def _folder(path):
    if is_saved_model(path):
        inside = _file(path / SAVED_MODEL_PB)
        if inside.kind is Kind.SAVED_MODEL:
            return inside
        return Found(Kind.FOREIGN, f"is a folder whose {SAVED_MODEL_PB} {inside.words}")
    if versions(path):
        return _whole(Kind.VERSIONS)
    if not any(path.iterdir()):
        return Found(Kind.FOREIGN, "is an empty folder")
    return Found(Kind.FOREIGN, "is a folder without a SavedModel")


def _file(path):
    size = path.stat().st_size
    if not size:
        return Found(Kind.FOREIGN, "is an empty file")
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        if head.startswith(b"PK\3\4"):
            return _zip(path)
        if head.startswith(hdf5.SIGNATURE):
            return _whole_or_truncated(Kind.HDF5, hdf5.expected_size(head) <= size)
        if foreign := foreign_kind(head):
            return Found(Kind.FOREIGN, f"is {foreign}")
        file.seek(0)
        fields = top_level_fields(file, size)
    for kind, known, graph, last in (
        (Kind.SAVED_MODEL, _SAVED_MODEL_FIELDS, _SAVED_MODEL_GRAPH, _SAVED_MODEL_GRAPH),
        (Kind.ONNX, _ONNX_FIELDS, _ONNX_GRAPH, _ONNX_LAST),
    ):
        if fields is not None and graph in fields.found and fields.found <= known.items():
            return _whole_or_truncated(kind, fields.whole and last in fields.found)
    return Found(Kind.FOREIGN, "is a file of another kind")


def _zip(path):
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return _truncated(Kind.KERAS.value if path.suffix == ".keras" else "a zip archive")
    if "config.json" in names:
        return _whole(Kind.KERAS)
    if names and all(name.endswith(".npy") for name in names):
        return _whole(Kind.ARRAYS)
    if any(name.endswith("data.pkl") for name in names):
        return Found(Kind.FOREIGN, "is a PyTorch file")
    return Found(Kind.FOREIGN, "is a zip archive without a Keras model")


def _whole_or_truncated(kind, whole):
    return _whole(kind) if whole else _truncated(kind.value)


def _whole(kind):
    return Found(kind, f"is {kind.value}")


def _truncated(what):
    return Found(Kind.FOREIGN, f"is {what} that is truncated; copy or write it again")
