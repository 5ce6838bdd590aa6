"""Copying a model for inference, layer by layer."""

import contextlib
import copy
import inspect
import tempfile

import keras
import numpy as np

from keras_bin.gates import bin_layers
from keras_bin.keras_internals import (
    LAYERS_MODULE,
    all_layers,
    lambda_output_shape,
    take_out_of_graphs,
    takes_training,
)

from ..models.gate_values import finite_rho
from ..models.graph import as_functional, check_model, is_graph
from ..models.half_precision import global_policy, in_single_precision, is_half_precision
from ..models.rho_tolerance import snap
from .deep_copy import DeepCopies


class CopyError(ValueError):
    """A layer cannot be copied, or its copy does not run where the layer does."""


class ModelCopy:
    """Copies a graph of layers, once each, then their weights.

    Args:
        model: a built Functional or Sequential model, or one that `as_functional` takes; half
            precision becomes float32.
        rho_tolerance: see `keras_bin.export.fold`.

    Attributes:
        model: the copy.
    """

    def __init__(self, model, rho_tolerance: float = 0.0):
        check_model(model)
        graph = as_functional(model)
        self._single = is_half_precision(graph)
        self._rho_tolerance = rho_tolerance
        self._copies = {}
        self._deep = DeepCopies(self._single, self._replaced, self._rebuilt_graph, is_graph)
        self._prepare(graph)
        with global_policy("float32") if self._single else contextlib.nullcontext():
            self.model = self._copy_graph(graph)
        for layer, new in self._copies.values():
            if isinstance(layer, keras.layers.Layer) and not is_graph(layer):
                self._copy_state(layer, new)
        self._clip()

    def _prepare(self, graph):
        """Looks at the model before anything is copied."""

    def _copy_graph(self, model):
        graph = as_functional(model)  # clone_model would compile its clone like `model`
        return keras.models.clone_model(
            graph,
            input_tensors=keras.tree.map_structure(self._new_input, graph.input),
            clone_function=self._copy_layer,
            call_function=self._call,
        )

    def _new_input(self, tensor):
        dtype = self._converted(tensor.dtype)
        return keras.Input(shape=tensor.shape[1:], dtype=dtype, name=tensor.name)

    def _copy_layer(self, layer):
        if id(layer) not in self._copies:
            self._copies[id(layer)] = (layer, self._new_layer(layer))
        return self._copies[id(layer)][1]

    def _new_layer(self, layer):
        if not isinstance(layer, keras.layers.Layer):
            return self._new_operation(layer)
        if is_graph(layer):
            return self._copy_graph(layer)
        if layer not in self._deep and self._has_faithful_config(layer):
            with contextlib.suppress(CopyError):  # a function of the user's own among its arguments
                return self._rebuilt(layer, self._config(layer))
        return self._deep.of(layer)

    def _has_faithful_config(self, layer):
        """Tells whether a layer is of Keras or of keras_bin, with all that it holds."""
        return all(
            type(each).__module__.startswith((LAYERS_MODULE, "keras_bin."))
            for each in all_layers(layer)
        )

    def _replaced(self, layer):
        """Returns what stands for a layer that is inside another one, or None for a copy."""
        held = self._copies.get(id(layer))  # called in the graph before
        return None if held is None else held[1]

    def _rebuilt_graph(self, model):
        """Copies a model that a layer holds. Its layers are copied already."""
        if id(model) in self._copies:
            return self._copies[id(model)][1]
        if not isinstance(model, keras.Sequential):
            return self._copy_layer(model)
        tensor = model.inputs[0]
        start = keras.Input(batch_shape=tensor.shape, dtype=self._converted(tensor.dtype))
        return keras.Sequential([start, *map(self._copy_layer, model.layers)], name=model.name)

    def _rebuilt(self, layer, config):
        """Makes a layer of the class of `layer` from a config, with the name of `layer`."""
        if isinstance(layer, keras.layers.Lambda):
            # From its config a Lambda would get marshalled bytecode without its globals.
            return keras.layers.Lambda(
                layer.function,
                output_shape=lambda_output_shape(layer),
                mask=layer.mask,
                arguments=layer.arguments,
                name=layer.name,
                dtype=config["dtype"],
            )
        taken = _taken_by_constructor(layer, config)
        # A constructor that takes no dtype gets the default of its time.
        policy = (
            ("float32" if self._single else layer.dtype_policy) if "dtype" not in taken else None
        )
        try:
            with global_policy(policy) if policy else contextlib.nullcontext():
                new = type(layer).from_config(taken)
        except Exception as error:
            raise _not_rebuildable(layer, "from_config", error) from error
        new.name = layer.name  # a config that Keras makes up for a layer may lack it
        return new

    def _new_operation(self, operation):
        """Copies a stateless operation, without the places that it holds in the old graph."""
        new = copy.copy(operation)
        take_out_of_graphs(new)
        if isinstance(getattr(operation, "dtype", None), str):
            new.dtype = self._converted(operation.dtype)
        return new

    def _config(self, layer):
        try:
            return self._converted(layer.get_config())
        except NotImplementedError as error:  # Keras's word for arguments that it cannot write
            raise _not_rebuildable(layer, "get_config", error) from error

    def _converted(self, config):
        return in_single_precision(config) if self._single else config

    def _call(self, layer, *args, **kwargs):
        """Calls a copied layer as the model calls the original, in inference mode."""
        if not isinstance(layer, keras.layers.Layer):
            return layer(*args, **kwargs)
        if takes_training(layer) and kwargs.get("training"):
            # Keras overrides it where the model is called with training=False, as by predict.
            kwargs = {**kwargs, "training": None}
        try:
            return layer(*args, **kwargs)
        except Exception as error:
            raise CopyError(
                "Every layer must run when its copy is called as the model calls it; export the "
                "model itself with export_saved_model or export_onnx, which copy no layer. "
                f"Received: layer {layer.name!r} of type {type(layer).__name__}, whose copy failed "
                f"with: {error}"
            ) from error

    def _copy_state(self, layer, new):
        """Copies weights and assets as a saved file would, so that it is ready as after load."""
        if layer in self._deep:
            return
        for source, target in zip(all_layers(layer), all_layers(new), strict=True):
            copy_own_state(source, target)

    def _clip(self):
        for layer in bin_layers(self.model):
            if layer.rho is None:  # held by another layer, and never called
                continue
            layer.rho.assign(snap(finite_rho(layer), self._rho_tolerance))


def _not_rebuildable(layer, method, error):
    return CopyError(
        "A layer that absorbs another and has no bias must be rebuildable from its get_config(), "
        "to get one; give it `use_bias=True`, or export the model with export_saved_model or "
        "export_onnx, which rebuild no layer. "
        f"Received: layer {layer.name!r} of type {type(layer).__name__}, whose {method} failed "
        f"with: {error}"
    )


def _taken_by_constructor(layer, config):
    """Leaves out what Keras adds to the config of a layer whose constructor does not take it."""
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    names = {parameter.name for parameter in parameters}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return config
    added = {"name", "trainable", "dtype", "activity_regularizer"} - names
    return {key: value for key, value in config.items() if key not in added}


def copy_own_state(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies the weights and assets of one layer, without those of the layers inside it."""
    store = {}
    source.save_own_variables(store)
    target.load_own_variables({key: np.array(value) for key, value in store.items()})
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)
