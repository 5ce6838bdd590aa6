"""Copying custom layers as they are, with everything they hold."""

import copy
from collections.abc import Callable
from typing import Any

import keras

from keras_bin.keras_internals import (
    LEFT_BY_CALLS,
    LEFT_BY_TRAINING,
    MADE_BY_NEW,
    all_layers,
    copy_tracked,
    layers_held,
    own_parts,
    own_variables,
    tracked_lists,
    tracker_of,
    untracked,
)
from keras_bin.networks.graph import is_graph
from keras_bin.networks.half_precision import in_single_precision


class DeepCopies:
    """Copies layers without their configs: attribute by attribute, weights and states included.

    For a Keras layer, `copy.deepcopy` saves and loads it, so it depends on the layer's
    `get_config`. Here, each object that a layer holds is copied once: an object under two names,
    in a dict, or in a helper object is in the same places in the copy.

    Args:
        single: whether half precision becomes float32.
        replacement: returns what to use for an inner layer instead of a deep copy, or None.
        rebuilt_graph: returns the copy of a model that is a graph, whose layers are already
            copied.
    """

    def __init__(self, single: bool, replacement: Callable, rebuilt_graph: Callable):
        self._single = single
        self._replacement = replacement
        self._rebuilt_graph = rebuilt_graph
        self._memo: dict[int, Any] = {}
        self._begun: set[int] = set()
        self._finished: set[int] = set()

    def __contains__(self, layer) -> bool:
        return id(layer) in self._begun

    def copy_of(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the copy of a layer that was copied on its own or inside another one."""
        return self._memo[id(layer)]

    def of(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the copy of a layer; the layers inside it are copied with it."""
        for each in all_layers(layer):
            if id(each) in self._memo or is_graph(each):
                continue
            new = None if each is layer else self._replacement(each)
            if new is None:
                self._begin(each)
            else:
                self._memo[id(each)] = new
                self._finished.add(id(each))
        self._finish(layer)
        return self._memo[id(layer)]

    def _begin(self, layer):
        """Makes an empty copy, to which references to the layer are mapped."""
        self._begun.add(id(layer))
        # The class may override __new__, to take arguments or to count its instances.
        new = self._memo[id(layer)] = keras.layers.Layer.__new__(type(layer))
        self._memo[id(tracker_of(layer))] = tracker_of(new)
        for name, tracked in tracked_lists(layer).items():
            self._memo[id(tracked)] = tracked_lists(new)[name]
        policy = layer.dtype_policy
        self._memo[id(policy)] = self._converted_policy(policy)
        for variable in own_variables(layer):
            self._convert(variable)
        for part in own_parts(layer):
            if id(part) not in self._memo:
                self._memo[id(part)] = shell = object.__new__(type(part))
                vars(shell).update((k, self._copied(v)) for k, v in vars(part).items())
        if isinstance(layer, keras.Model):
            dropped = [vars(layer).get(name) for name in LEFT_BY_TRAINING]  # not compiled
            optimizer = keras.optimizers.Optimizer
            dropped += [each for each in vars(layer).values() if isinstance(each, optimizer)]
            self._memo.update((id(value), None) for value in dropped if value is not None)

    def _finish(self, layer):
        """Fills the empty copies of a layer and of those inside it, inner ones first."""
        if id(layer) in self._finished:
            return
        self._finished.add(id(layer))
        for inner in layer.layers if is_graph(layer) else layers_held(layer):
            self._finish(inner)
        if is_graph(layer):
            self._memo[id(layer)] = self._rebuilt_graph(layer)
        else:
            self._fill(layer, self._memo[id(layer)])

    def _fill(self, layer, new):
        self._copy_functions(layer)
        with untracked(new):
            for name, value in vars(layer).items():
                if name in LEFT_BY_CALLS:
                    vars(new)[name] = set() if isinstance(value, set) else []
                elif name not in MADE_BY_NEW:
                    vars(new)[name] = self._copied(value)
            if isinstance(new, keras.Model):
                new.compiled = False
        copy_tracked(layer, new, self._copied)

    def _copied(self, value):
        if isinstance(value, str):
            return in_single_precision(value) if self._single else value
        try:
            return copy.deepcopy(value, self._memo)
        except Exception:  # a lock, a file, a table: whatever Python or TensorFlow cannot copy
            return value

    def _copy_functions(self, layer):
        """Copies each `tf.function` that a layer holds, which `copy.deepcopy` would break."""
        for value in _values_in(vars(layer)):
            if _is_tensorflow_function(value):
                import tensorflow as tf

                function = self._copied(value.python_function)
                signature = value.input_signature
                self._memo[id(value)] = tf.function(function, input_signature=signature)

    def _converted_policy(self, policy):
        if not self._single:
            return policy
        config = keras.dtype_policies.serialize(policy)
        return keras.dtype_policies.deserialize(in_single_precision(config))

    def _convert(self, variable):
        """Copies a half-precision variable as float32; others are copied when they are reached."""
        dtype = in_single_precision(variable.dtype) if self._single else variable.dtype
        if dtype != variable.dtype and id(variable) not in self._memo:
            self._memo[id(variable)] = keras.Variable(
                keras.ops.convert_to_numpy(variable).astype(dtype),
                dtype=dtype,
                trainable=variable.trainable,
                name=variable.name,
            )


def _values_in(holder):
    """Yields the values in lists, tuples and dicts, at any depth."""
    for value in holder.values() if isinstance(holder, dict) else holder:
        if isinstance(value, (list, tuple, dict)):
            yield from _values_in(value)
        else:
            yield value


def _is_tensorflow_function(value):
    return type(value).__module__.startswith("tensorflow.") and hasattr(value, "python_function")
