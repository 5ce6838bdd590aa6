"""The state of one layer, and how it is copied to another."""

import tempfile
from typing import Any

import keras

from keras_bin.keras_internals import own_variables, seed_generators, set_own_trainable


def copy_own_state(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies the weights and assets of one layer, without those of the layers inside it."""
    store: dict[str, Any] = {}
    source.save_own_variables(store)
    target.load_own_variables({key: _array(value) for key, value in store.items()})
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)


def copy_training(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies what decides how one layer trains: what is frozen and penalized, and its seeds."""
    set_own_trainable(target, source.trainable)
    for old, new in zip(own_variables(source), own_variables(target), strict=True):
        copy_variable_training(old, new)
    for old, new in zip(seed_generators(source), seed_generators(target), strict=True):
        new.state.assign(keras.ops.copy(old.state))  # JAX would share the array


def copy_variable_training(source: keras.Variable, target: keras.Variable) -> None:
    """Copies what decides how one variable trains."""
    target.trainable = source.trainable
    target.regularizer = source.regularizer
    target.constraint = source.constraint


def _array(value):
    # Of a copy, as the `__array__` of a variable knows no `copy`, and NumPy 2 warns.
    return keras.ops.convert_to_numpy(keras.ops.copy(value))
