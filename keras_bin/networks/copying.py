"""Copying a model layer by layer, with other layers in place of some."""

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import keras

from keras_bin.keras_internals import (
    LAYERS_MODULE,
    all_layers,
    layers_inside,
    set_own_trainable,
    take_out_of_graphs,
    takes_training,
)
from keras_bin.networks.deep_copy import DeepCopies
from keras_bin.networks.graph import (
    as_functional,
    calls_of_graphs,
    is_graph,
    layers_of_graphs,
    methods_set_on,
)
from keras_bin.networks.half_precision import global_policy, in_single_precision, is_half_precision
from keras_bin.networks.layer_state import copy_attributes, copy_own_state, copy_training
from keras_bin.networks.rebuilding import CopyError, not_rebuildable, rebuilt
from keras_bin.networks.shared_variables import (
    copied_variable,
    holds,
    variables_of_several_layers,
)


class Replacement(Protocol):
    """What replaces a layer in a copy of a model."""

    def new(self, layer: keras.layers.Layer, copier: "Copier") -> Callable:
        """Makes what replaces `layer`: a layer, or a function that is called like one."""

    def set_weights(self, layer: keras.layers.Layer, new: Callable) -> None:
        """Sets the weights of what `new` made, once the copy of the model has built it."""


def copy_model(
    model: keras.Model,
    replacements: Mapping[int, Replacement] | None = None,
    inference: bool = True,
) -> keras.Model:
    """Copies a model layer by layer, each once, and then their weights.

    Args:
        model: a built Functional or Sequential model, or one that `as_functional` takes.
        replacements: what replaces a layer in the copy, by the `id` of the layer.
        inference: whether the copy is for inference only: its batch axis is free, half precision
            becomes float32, and a `training=True` in the graph is left out. Otherwise it trains
            as `model` does.

    Returns:
        A plain, uncompiled Functional model.

    Raises:
        CopyError: a layer cannot be copied, or its copy does not run.
    """
    return Copier(as_functional(model), replacements or {}, inference).copy()


class Copier:
    """Copies the layers of a graph.

    Args:
        graph: a Functional model.
        replacements: see `copy_model`.
        inference: see `copy_model`.
        of_kind: takes an original graph and its copy, and returns the copy as a model of the
            original's kind.
    """

    def __init__(
        self,
        graph: keras.Model,
        replacements: Mapping[int, Replacement],
        inference: bool = True,
        of_kind: Callable[[keras.Model, keras.Model], keras.Model] = lambda _, copy: copy,
    ):
        self._graph = graph
        self._replacements = replacements
        self._inference = inference
        self._of_kind = of_kind
        self._single = inference and is_half_precision(graph)
        self._shared = variables_of_several_layers(graph)
        self._copies: dict[int, Any] = {}
        self._deep = DeepCopies(self._single, self._standing_inside, self._rebuilt_graph)

    def copy(self) -> keras.Model:
        """Returns the copy; see `copy_model`."""
        with global_policy("float32") if self._single else contextlib.nullcontext():
            model = self._copy_graph(self._graph)
        for layer, new in self._copies.values():
            if isinstance(layer, keras.layers.Layer):
                self._set_state(layer, new)
        return model

    def copy_of(self, layer: keras.layers.Layer) -> Any:
        """Returns the counterpart of a layer in the copy, at any depth."""
        if id(layer) in self._copies:
            return self._copies[id(layer)][1]
        return self._deep.copy_of(layer)

    def _copy_graph(self, model):
        if isinstance(model, keras.Sequential) and not self._inference:
            return self._rebuilt_sequential(model)
        graph = as_functional(model)  # clone_model would compile its clone like `model`
        starts = {
            id(layer.output): layer
            for layer in graph.layers
            if isinstance(layer, keras.layers.InputLayer)
        }
        clone = keras.models.clone_model(
            graph,
            input_tensors=keras.tree.map_structure(
                lambda tensor: self._new_input(tensor, starts[id(tensor)]), graph.input
            ),
            clone_function=self._copy_layer,
            call_function=self._call,
        )
        return self._of_kind(model, clone)

    def _new_input(self, tensor, layer):
        if not self._inference:
            new = keras.layers.InputLayer.from_config(layer.get_config()).output
            new.name = tensor.name  # differs from the layer's if the user gave none
            return new
        return keras.Input(
            shape=tensor.shape[1:], dtype=self._converted(tensor.dtype), name=tensor.name
        )

    def _copy_layer(self, layer):
        if id(layer) not in self._copies:
            self._copies[id(layer)] = (layer, self._new_layer(layer))
        return self._copies[id(layer)][1]

    def _new_layer(self, layer):
        if not isinstance(layer, keras.layers.Layer):
            return self._new_operation(layer)
        if is_graph(layer):
            return self._copy_graph(layer)
        if id(layer) in self._replacements:
            return self._replacements[id(layer)].new(layer, self)
        return self.copied(layer)

    def copied(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Returns a copy of a layer: from its config, or else attribute by attribute."""
        if layer not in self._deep and self._has_faithful_config(layer):
            with contextlib.suppress(CopyError):  # one of its arguments is a custom function
                return self.rebuilt(layer, self.config(layer))
        return self._deep.of(layer)

    def _has_faithful_config(self, layer):
        """Tells whether the configs of a layer and of those inside it fully describe its copy."""
        return (
            all(map(_is_known, all_layers(layer)))
            and not any(id(each) in self._replacements for each in layers_inside(layer))
            and not holds(layer, self._shared)
        )

    def _standing_inside(self, layer):
        """Returns the counterpart of a layer inside another one, or None for a deep copy."""
        if id(layer) not in self._copies and id(layer) not in self._replacements:
            return None
        return self._built(layer, self._copy_layer(layer))

    def _rebuilt_graph(self, model):
        """Copies a model inside a layer; the model's own layers are already copied."""
        if id(model) in self._copies:
            return self._copies[id(model)][1]
        if not isinstance(model, keras.Sequential):
            return self._copy_layer(model)
        return self._rebuilt_sequential(model)

    def _rebuilt_sequential(self, model):
        tensor = model.inputs[0]
        start = keras.Input(batch_shape=tensor.shape, dtype=self._converted(tensor.dtype))
        return keras.Sequential([start, *map(self._copy_layer, model.layers)], name=model.name)

    def rebuilt(self, layer: keras.layers.Layer, config: dict[str, Any]) -> keras.layers.Layer:
        """Makes a layer with the class and name of `layer` from a config; see `rebuilt`."""
        return rebuilt(layer, config, "float32" if self._single else layer.dtype_policy)

    def _new_operation(self, operation):
        """Copies a stateless operation, without its place in the old graph."""
        new = copy.copy(operation)
        take_out_of_graphs(new)
        if isinstance(getattr(operation, "dtype", None), str):
            new.dtype = self._converted(operation.dtype)
        return new

    def config(self, layer: keras.layers.Layer) -> dict[str, Any]:
        """Returns the config for the copy of a layer.

        Raises:
            CopyError: Keras cannot serialize an argument of the layer.
        """
        try:
            return self._converted(layer.get_config())
        except NotImplementedError as error:
            raise not_rebuildable(layer, "get_config", error) from error

    def dtype(self, layer: keras.layers.Layer) -> Any:
        """Returns the serialized dtype policy for the copy of a layer."""
        return self._converted(keras.dtype_policies.serialize(layer.dtype_policy))

    def _converted(self, config):
        return in_single_precision(config) if self._single else config

    def _call(self, layer, *args, **kwargs):
        """Calls a copied layer as the model calls the original."""
        if any(isinstance(each, keras.Variable) for each in keras.tree.flatten((args, kwargs))):
            args, kwargs = keras.tree.map_structure(self._argument, (args, kwargs))
        if not isinstance(layer, keras.layers.Layer):
            return layer(*args, **kwargs)
        if self._inference and takes_training(layer) and kwargs.get("training"):
            # Keras overrides it if the model is called with training=False, as predict does.
            kwargs = {**kwargs, "training": None}
        try:
            return layer(*args, **kwargs)
        except Exception as error:
            raise CopyError(
                "A copy of each layer must run when it is called as the model calls the layer. "
                f"Received: layer {layer.name!r} of type {type(layer).__name__}, whose copy failed "
                f"with: {error}"
            ) from error

    def _argument(self, value):
        """Returns the counterpart of a call's argument: for a variable, its copy."""
        if not isinstance(value, keras.Variable):
            return value
        owners = (layer for layer in layers_of_graphs(self._graph) if holds(layer, [id(value)]))
        owner = next(owners, None)
        if owner is None:
            return value
        new = self._built(owner, self._copy_layer(owner))
        copied = copied_variable(value, owner, new)
        if copied is None:
            raise CopyError(
                "A weight that the model uses outside its layer must be in the copy of the layer. "
                f"Received: {value.path!r}"
            )
        return copied

    def _built(self, layer, new):
        if layer.built and not new.built:
            new.build_from_config(layer.get_build_config())
        return new

    def _set_state(self, layer, new):
        """Sets weights and assets as loading a saved file would, and freezes the same parts."""
        if id(layer) in self._replacements:
            self._replacements[id(layer)].set_weights(layer, new)
        elif is_graph(layer):
            set_own_trainable(new, layer.trainable)
        elif layer not in self._deep:
            for source, target in zip(all_layers(layer), all_layers(new), strict=True):
                copy_attributes(source, target)  # of layers that `build` made
                copy_own_state(source, target)
                if not self._inference:
                    copy_training(source, target)


def holds_own_code(model: keras.Model) -> bool:
    """Tells whether a model contains code that is from neither Keras nor keras_bin."""
    own_layer = any(
        isinstance(layer, keras.layers.Lambda) or not (is_graph(layer) or _is_known(layer))
        for layer in all_layers(model)
    )
    # Operations such as `keras.ops.map` are called with functions.
    return own_layer or any(
        callable(argument) for call in calls_of_graphs(model) for argument in call.arguments
    )


def _is_known(layer):
    known = type(layer).__module__.startswith((LAYERS_MODULE, "keras_bin."))
    return known and not methods_set_on(layer)
