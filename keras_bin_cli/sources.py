"""Checks of the files that a command reads, made before any work is done."""

import difflib
import os
from pathlib import Path

from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.files.kinds import ARTIFACTS, MODELS, Found, Kind, find, is_saved_model, versions


def check_model(path: Path, name: str = "MODEL", other: tuple[Path, str] | None = None) -> None:
    """Checks that a file is one that Keras can load, as far as can be told at once.

    Args:
        path: the file.
        name: the argument that gives it.
        other: another argument that might be the model, and its name.

    Raises:
        WrongArguments: it is not; the message says what it is, or that the two are swapped.
    """
    found = find(path)
    if found.kind in MODELS:
        _check_ending(path, name, found)
        return
    is_file = found.kind is Kind.FOREIGN and not os.path.isdir(path)  # as a damaged model would be
    if other is not None and not is_file and find(other[0]).kind in MODELS:
        raise WrongArguments(
            f"{name} must be a .keras file; {name} and {other[1]} look swapped. "
            f"Received: {str(path)!r}, which {found.words}, and {str(other[0])!r}, which "
            f"{find(other[0]).words}"
        )
    raise _wrong(f"{name} must be a .keras file", path, found)


def check_artifact(path: Path, name: str, model: Path) -> None:
    """Checks that a file or folder is a SavedModel or an ONNX file.

    Args:
        path: the file or folder.
        name: the argument that gives it.
        model: the argument MODEL beside it.

    Raises:
        WrongArguments: it is not, or the two are swapped.
    """
    found = find(path)
    if found.kind in ARTIFACTS:
        return
    if found.kind in MODELS and find(model).kind in (*ARTIFACTS, Kind.VERSIONS):
        raise WrongArguments(
            f"{name} comes before MODEL; they look swapped. Received: {name} {str(path)!r}, which "
            f"{found.words}, and MODEL {str(model)!r}, which {find(model).words}"
        )
    if found.kind is Kind.VERSIONS:
        raise _wrong(f"{name} must be one version, such as {versions(path)[-1]}", path, found)
    raise _wrong(f"{name} must be a SavedModel, OUT/<version>, or an ONNX file", path, found)


def check_onnx_file(path: Path, name: str) -> None:
    """Checks that a file is an ONNX file.

    Raises:
        WrongArguments: it is not; the message says how a model becomes one.
    """
    found = find(path)
    if found.kind is not Kind.ONNX:
        export = "; `keras-bin export` writes one" if found.kind in (*MODELS, *ARTIFACTS) else ""
        raise _wrong(f"{name} must be an ONNX file{export}", path, found)


def check_described(path: Path, name: str) -> None:
    """Checks that a file or folder is of a kind that can be described.

    Raises:
        WrongArguments: it is not.
    """
    found = find(path)
    if found.kind in MODELS:
        _check_ending(path, name, found)
    elif found.kind not in (*ARTIFACTS, Kind.VERSIONS):
        rule = f"{name} must be a .keras file, a SavedModel, the folder of its versions, or an ONNX"
        raise _wrong(f"{rule} file", path, found)


def check_samples(path: Path, name: str) -> None:
    """Checks that a file holds arrays by name.

    Raises:
        WrongArguments: it does not.
    """
    found = find(path)
    if found.kind is not Kind.ARRAYS:
        raise _wrong(f"{name} must be an .npz file with an array per input", path, found)


def check_versions(path: Path, name: str) -> None:
    """Checks that a folder holds versions of a SavedModel.

    Raises:
        WrongArguments: it is not a folder, holds no version, or is a version itself.
    """
    found = find(path)
    if os.path.isdir(path) and is_saved_model(path):
        raise _wrong(f"{name} must be the folder of all versions: {path.parent}", path, found)
    if found.kind is not Kind.VERSIONS:
        raise _wrong(f"{name} must be the folder of a SavedModel's versions", path, found)


def _check_ending(path, name, found):
    """Checks the ending of a file name, from which Keras decides how to read the file."""
    endings = (".keras",) if found.kind is Kind.KERAS else (".h5", ".hdf5")
    if not path.name.endswith(endings):
        raise _wrong(f"{name} must end in {endings[0]}; rename it", path, found)
    if path.name.endswith(".weights.h5"):
        raise WrongArguments(
            f"{name} must be a whole model; load the weights into one in Python, and save that. "
            f"Received: {str(path)!r}, which is a file of weights alone"
        )


def _wrong(rule: str, path: Path, found: Found) -> WrongArguments:
    hint = neighbour(path) if found.kind is Kind.MISSING else ""
    return WrongArguments(f"{rule}. Received: {str(path)!r}, which {found.words}{hint}")


def neighbour(path: Path) -> str:
    """Asks whether a file with a similar name in the same folder was meant, if there is one."""
    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(path.with_name(close[0]))!r}?" if close else ""
