"""Why Keras cannot load a model, in short, and what to do about it."""

import re
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras

from .keras_config import LAMBDA, OF_KERAS_2, ConfigObject, own_objects

_LONGEST = 300  # characters of Keras's own message
_STYLE = re.compile(r"\x1b\[\d*m")  # bold text on a terminal
_SHOWN = 3
_IF_IMPORTED = ", and register there what is not at its top level"


def refuse_lambdas(path: Path, config: Any) -> None:
    """Refuses a file with code in it, as Keras does; some versions run code in `.h5` files.

    Raises:
        ValueError: the config holds a Python lambda.
    """
    layers = [each.layer for each in own_objects(config) if each.name == LAMBDA]
    if layers:
        raise ValueError(
            "A Python lambda is code in the model's file; if you trust whoever made it, allow it "
            f"with --unsafe. Received: {str(path)!r} with a lambda in layer {layers[0]!r}"
        )


def why_not_loaded(
    path: Path,
    config: Any,
    custom_objects: dict[str, Any],
    imported: bool,
    error: Exception,
) -> str:
    """Returns the message of an error for a file that Keras cannot load.

    Args:
        path: the file.
        config: the model's config, or None if it cannot be read.
        custom_objects: classes and functions by the names that Keras looks them up by.
        imported: whether modules were imported for the model.
        error: what Keras raised.
    """
    own = [each for each in own_objects(config) if each.name != LAMBDA]
    unknown = {each.key: each for each in reversed(own) if _is_unknown(each, custom_objects)}
    old = [each for each in unknown.values() if each.name in OF_KERAS_2]
    if old:
        return (
            "Keras 2 saved calls of TensorFlow functions as layers that Keras 3 does not have; "
            "build the model from its code, load its weights, and save it as a .keras file. "
            f"Received: {str(path)!r} with {_listed(old)}"
        )
    if unknown:
        return (
            "A model's own classes and functions must be imported first; name their module or file "
            f"with --import{_IF_IMPORTED if imported else ''}. "
            f"Received: {str(path)!r} with {_listed(list(reversed(unknown.values())))}"
        )
    for each in own:
        try:
            keras.saving.deserialize_keras_object(each.config, custom_objects)
        except Exception as inner:  # from the class's own code
            return (
                "A class must take the arguments that its `get_config` returns, those of its base "
                "class included, or have a `from_config` that does. "
                f"Received: {str(path)!r} with {_listed([each])}: {_says(inner)}"
            )
    if h5py.is_hdf5(path) and path.suffix not in (".h5", ".hdf5"):
        return (
            "Keras recognizes an HDF5 file, the format of Keras 2, by its name; rename it so that "
            f"it ends in .h5. Received: {str(path)!r}"
        )
    says = f"; Keras says: {_says(error)}"
    if not (zipfile.is_zipfile(path) or h5py.is_hdf5(path)):
        says = ", which is not a zip archive: it was cut off, or is something else"
    return (
        "A model must be a whole .keras file that Keras can load, or a whole model in an .h5 file. "
        f"Received: {str(path)!r}{says}"
    )


def _is_unknown(each: ConfigObject, custom_objects: dict[str, Any]) -> bool:
    return keras.saving.get_registered_object(each.key, custom_objects) is None


def _listed(objects: list[ConfigObject]) -> str:
    shown = [
        f"{each.name!r}{f' of module {each.module!r}' if _has_module(each) else ''} "
        f"(layer {each.layer!r})"
        for each in objects[:_SHOWN]
    ]
    more = f" and {len(objects) - _SHOWN} more" if len(objects) > _SHOWN else ""
    return ", ".join(shown) + more


def _has_module(each: ConfigObject) -> bool:
    return each.module not in ("", "builtins")  # Keras writes "builtins" for functions


def _says(error: Exception) -> str:
    """Returns the cause at the bottom of a Keras error, without the configs that it repeats."""
    text = re.split(r"(?:Exception|Error) encountered:\s", _STYLE.sub("", str(error)))[-1]
    text = text.partition("Full object config")[0] or type(error).__name__
    return textwrap.shorten(text, _LONGEST, placeholder=" …")
