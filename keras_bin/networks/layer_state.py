"""The state of one layer, and how it is copied to another."""

import inspect
import tempfile
from typing import Any

import keras

from keras_bin.arrays import array
from keras_bin.keras_internals import own_variables, seed_generators, set_own_trainable
from keras_bin.rho_constraint import is_rho


def copy_own_state(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies the weights and assets of one layer, without those of the layers inside it."""
    store: dict[str, Any] = {}
    source.save_own_variables(store)
    target.load_own_variables({key: array(value) for key, value in store.items()})
    if getattr(source, "states", None) and getattr(target, "states", None):  # of stateful RNNs
        pairs = map(keras.tree.flatten, (source.states, target.states))
        for old, new in zip(*pairs, strict=True):
            new.assign(keras.ops.copy(old))
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)


def copy_attributes(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies what a config gets wrong or leaves out: functions, held by name, and flags."""
    target.supports_masking, target.autocast = source.supports_masking, source.autocast
    for name in inspect.signature(type(source).__init__).parameters:
        value = vars(source).get(name)
        if _is_own_function(value) and vars(target).get(name) is not value:
            setattr(target, name, value)


def copy_training(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies how one layer trains: its variables, what is frozen and penalized, and its seeds."""
    set_own_trainable(target, source.trainable)
    for old, new in _pairs(own_variables(source), own_variables(target)):
        new.assign(keras.ops.copy(old))  # files hold LoRA's matrices merged into the kernel
        copy_variable_training(old, new)
    for old, new in zip(seed_generators(source), seed_generators(target), strict=True):
        new.state.assign(keras.ops.copy(old.state))  # JAX would share the array


def copy_variable_training(source: keras.Variable, target: keras.Variable) -> None:
    """Copies what decides how one variable trains."""
    target.trainable = source.trainable
    target.regularizer = source.regularizer
    if not is_rho(source):  # whose constraint belongs to one model
        target.constraint = source.constraint


def _pairs(sources, targets):
    """Pairs variables by name if possible, as layers that change after build reorder them."""
    named, others = ({each.name: each for each in variables} for variables in (sources, targets))
    if len(named) == len(sources) and named.keys() == others.keys():
        return [(named[name], others[name]) for name in named]
    return list(zip(sources, targets, strict=True))


def _is_own_function(value):
    """Tells whether an argument is a function, and not a layer, initializer or the like."""
    is_layer = isinstance(value, keras.layers.Layer)
    return callable(value) and not is_layer and not type(value).__module__.startswith("keras.")
