"""Copying layers of a user's own as they are, with everything that they hold."""

import copy
from collections.abc import Callable

import keras

from keras_bin.export.folding.precision import in_single_precision

# What `Layer.__new__` makes for the layer that it makes.
_MADE_ANEW = {"build", "quantize", "_tracker"}
# Places in the graph of the source, and what its calls have left.
_EMPTIED = {"_inbound_nodes", "_outbound_nodes", "_losses", "_loss_ids", "_losses_override"}
# What `compile` and `fit` leave in a model. The copy is not compiled.
_TRAINING = (
    *("optimizer", "history", "_compile_loss", "_compile_metrics", "_loss_tracker"),
    *("_compile_config", "_compiled_trainable_state", "_rho_update", "_eval_epoch_iterator"),
    *("train_function", "test_function", "predict_function"),
)


class DeepCopies:
    """Copies layers without their configs: attribute by attribute, weights and states included.

    The `copy.deepcopy` of Keras saves a layer and loads it, so it is as good as the layer's
    `get_config`. Here each object that a layer holds is copied once, by identity: what was held
    under two names, in a dict, or by a helper object, is so in the copy.

    Args:
        single: whether half precision becomes float32.
        replaced: returns what stands for a layer in place of a copy, or None.
        rebuilt: returns the copy of a model that is a graph, whose layers are copied already.
        is_graph: tells whether a layer is such a model.
    """

    def __init__(self, single: bool, replaced: Callable, rebuilt: Callable, is_graph: Callable):
        self._single = single
        self._replaced = replaced
        self._rebuilt = rebuilt
        self._is_graph = is_graph
        self._memo = {}
        self._begun = set()
        self._finished = set()

    def __contains__(self, layer) -> bool:
        return id(layer) in self._begun

    def of(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the copy of a layer; the layers inside it are copied with it."""
        for each in layer._flatten_layers():
            if id(each) not in self._memo and not self._is_graph(each):
                self._begin(each)
        self._finish(layer)
        return self._memo[id(layer)]

    def _begin(self, layer):
        """Makes an empty copy, so that whatever refers to the layer refers to it."""
        new = self._replaced(layer)
        if new is not None:
            self._memo[id(layer)] = new
            self._finished.add(id(layer))
            return
        self._begun.add(id(layer))
        # A __new__ of the user's own may want arguments, or count what it makes.
        new = self._memo[id(layer)] = keras.layers.Layer.__new__(type(layer))
        self._memo[id(layer._tracker)] = new._tracker
        for name, (_, store) in layer._tracker.config.items():
            self._memo[id(store)] = new._tracker.config[name][1]
        policy = layer.dtype_policy
        self._memo[id(policy)] = self._converted_policy(policy)
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
            self._convert(variable)
        for part in (*layer._seed_generators, *layer._metrics):
            if id(part) not in self._memo:
                self._memo[id(part)] = shell = object.__new__(type(part))
                vars(shell).update((k, self._copied(v)) for k, v in vars(part).items())
        if isinstance(layer, keras.Model):
            dropped = [vars(layer).get(name) for name in _TRAINING]
            self._memo.update((id(value), None) for value in dropped if value is not None)

    def _finish(self, layer):
        """Fills the empty copies of a layer and of those inside it, inner ones first."""
        if id(layer) in self._finished:
            return
        self._finished.add(id(layer))
        for inner in layer.layers if self._is_graph(layer) else layer._layers:
            self._finish(inner)
        if self._is_graph(layer):
            self._memo[id(layer)] = self._rebuilt(layer)
        else:
            self._fill(layer, self._memo[id(layer)])

    def _fill(self, layer, new):
        stores, new._tracker.config = (
            new._tracker.config,
            {},  # lists track what they are filled with
        )
        for name, value in vars(layer).items():
            if name in _EMPTIED:
                vars(new)[name] = set() if isinstance(value, set) else []
            elif name not in _MADE_ANEW:
                vars(new)[name] = self._copied(value)
        if isinstance(new, keras.Model):
            new.compiled = False
        tracker = new._tracker
        tracker.config = stores
        for name, (_, store) in stores.items():
            store[:] = [self._copied(value) for value in layer._tracker.config[name][1]]
            tracker.stored_ids[name] = {id(value) for value in store}
        if layer._tracker.locked:
            tracker.lock(layer._tracker._lock_violation_msg)

    def _copied(self, value):
        if isinstance(value, str):
            return in_single_precision(value) if self._single else value
        try:
            return copy.deepcopy(value, self._memo)
        except Exception:  # a lock, a file, a table: whatever Python or TensorFlow cannot copy
            return value

    def _converted_policy(self, policy):
        if not self._single:
            return policy
        config = keras.dtype_policies.serialize(policy)
        return keras.dtype_policies.deserialize(in_single_precision(config))

    def _convert(self, variable):
        """Copies a variable of less precision; the others are copied as they are found."""
        dtype = in_single_precision(variable.dtype) if self._single else variable.dtype
        if dtype != variable.dtype and id(variable) not in self._memo:
            self._memo[id(variable)] = keras.Variable(
                keras.ops.convert_to_numpy(variable).astype(dtype),
                dtype=dtype,
                trainable=variable.trainable,
                name=variable.name,
            )
