"""Classes and functions named in the config of a saved model that are not Keras's own."""

import contextlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras

# Where Keras finds functions that a config gives by name alone.
_FUNCTIONS = (
    keras.activations,
    keras.constraints,
    keras.initializers,
    keras.losses,
    keras.metrics,
    keras.optimizers,
    keras.regularizers,
)
_MODELS = ("Functional", "Model", "Sequential")
LAMBDA = "__lambda__"
# Layers as which Keras 2 saved calls of TensorFlow functions.
OF_KERAS_2 = ("ClassMethod", "InstanceMethod", "InstanceProperty", "SlicingOpLambda", "TFOpLambda")


class ConfigObject(NamedTuple):
    """A class or function that a config names and that is not Keras's own.

    Attributes:
        key: what Keras looks it up by: its name, or `package>name` if it was registered.
        name: its name.
        module: where it was defined, or an empty string if the config does not say.
        layer: name of the layer that it is, or that it belongs to.
        config: its part of the config.
    """

    key: str
    name: str
    module: str
    layer: str
    config: dict[str, Any]


def read_config(path: Path) -> Any:
    """Returns the config in a `.keras` or `.h5` file, or None if there is none that can be read."""
    # If something is wrong with the file, Keras says so when it loads it.
    with contextlib.suppress(Exception):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        with h5py.File(path) as file:
            return json.loads(file.attrs["model_config"])
    return None


def own_objects(config: Any) -> list[ConfigObject]:
    """Finds the classes and functions that are not Keras's own, and lambdas; inner ones first."""
    return [each for each in _named(config, "") if not _is_keras_own(each)]


def functions_of_keras(config: Any) -> set[str]:
    """Finds the functions in a config whose names Keras has, too, and so takes for its own.

    Keras saves a function by name alone: a user's function called `relu` becomes Keras's own when
    the model is loaded.
    """
    functions = (each for each in _named(config, "") if each.config["class_name"] == "function")
    return {each.name for each in functions if _is_keras_own(each)} | set(_activations(config))


def _named(value: Any, layer: str) -> Iterator[ConfigObject]:
    if isinstance(value, list):
        for item in value:
            yield from _named(item, layer)
    if not isinstance(value, dict):
        return
    inner = value.get("config")
    is_object = isinstance(value.get("class_name"), str) and "config" in value
    if is_object:
        own_name = _text(inner, "name") if isinstance(inner, dict) else ""
        layer = own_name or _text(value, "name") or layer
    for key, item in value.items():
        if key != "compile_config":  # losses and optimizers are not loaded
            yield from _named(item, layer)
    if is_object:
        yield _object(value, inner, layer)


def _object(value: dict[str, Any], inner: Any, layer: str) -> ConfigObject:
    name = value["class_name"]
    key = _text(value, "registered_name") or name
    if name == "function":
        name = key = str(inner)
    if name == "Lambda" and isinstance(inner, dict) and isinstance(inner.get("function"), list):
        name = key = LAMBDA  # its code, as Keras 2 wrote it to .h5 files
    return ConfigObject(key, name.rpartition(">")[2], _text(value, "module"), layer, value)


def _text(value: dict[str, Any], key: str) -> str:
    """Returns a string, or an empty one for a value of another type."""
    return found if isinstance(found := value.get(key), str) else ""


def _activations(value: Any) -> Iterator[str]:
    """Yields activations that are given by name, as Keras saves its own."""
    items = value.items() if isinstance(value, dict) else enumerate(value or ())
    for key, item in items:
        if isinstance(item, dict | list):
            yield from _activations(item)
        elif isinstance(item, str) and str(key).endswith("activation"):
            yield item


def _is_keras_own(each: ConfigObject) -> bool:
    if each.name.startswith("__"):
        return each.name != LAMBDA
    if each.module == "builtins":
        return any(hasattr(functions, each.name) for functions in _FUNCTIONS)
    if "module" not in each.config:  # a layer in an .h5 file
        return hasattr(keras.layers, each.key) or each.key in _MODELS
    return each.module.partition(".")[0] == "keras" and each.name not in OF_KERAS_2
