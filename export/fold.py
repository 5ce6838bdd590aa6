"""Folding a trained model for inference."""

import contextlib
import copy
import inspect
import tempfile

import keras
import numpy as np

from keras_bin.export.constants import fold_constants
from keras_bin.export.graph import as_functional, check_model, is_graph
from keras_bin.export.precision import global_policy, is_half_precision, to_dtype
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.gates import bin_layers
from keras_bin.layer import BatchInstanceNormalization


def fold(model: keras.Model) -> keras.Model:
    """Returns a new model for inference in which every BIN layer is folded into constants.

    Each `BatchInstanceNormalization` becomes a `FoldedBatchInstanceNormalization`: the
    running statistics, rho (clipped to [0, 1]), gamma and beta turn into constants per
    channel, computed in float64 and cast once. Where every rho of a layer is 1 the layer is
    a pure affine map. All other layers are copied with their weights; layers that were
    shared stay shared. The batch size of the inputs becomes None, half-precision models
    become float32, and `model` itself is left as it is.

    BIN layers inside a layer of your own, or in a wrapper such as TimeDistributed, are
    copied as BIN layers: right, but not folded. So are subclasses that override `call`.

    Args:
        model: a built Functional or Sequential model, nested ones included.

    Returns:
        An uncompiled `keras.Model` with the inputs, outputs and names of `model`.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is subclassed or not built, a weight of a BIN layer is not
            finite, a BIN layer is called with `training=True`, or a layer cannot be copied.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras_bin.BatchInstanceNormalization(name="bin")]
    ... )
    >>> type(fold(model).get_layer("bin")).__name__
    'FoldedBatchInstanceNormalization'
    """
    return _InferenceCopy(model, folds=True).model


def inference_copy(model: keras.Model, dtype: str | None = None) -> keras.Model:
    """Returns a copy of `model` with rho clipped to [0, 1] and nothing folded.

    Args:
        model: as for `fold`.
        dtype: `"float64"` to compute in it wherever `model` computes in less; by default
            half precision becomes float32, and the rest stays as it is.

    Raises:
        TypeError: as for `fold`.
        ValueError: as for `fold`.
    """
    return _InferenceCopy(model, folds=False, dtype=dtype).model


class _InferenceCopy:
    """Copies a graph of layers, once each, then their weights."""

    def __init__(self, model, folds: bool, dtype: str | None = None):
        check_model(model)
        self._folds = folds
        self._dtype = dtype or ("float32" if is_half_precision(model) else None)
        self._copies = {}
        self._constants = {}
        with global_policy(self._dtype) if self._dtype else contextlib.nullcontext():
            self.model = self._copy_graph(model)
        self._copy_weights()

    def _copy_graph(self, model):
        graph = as_functional(model)  # clone_model would compile its clone like `model`
        return keras.models.clone_model(
            graph,
            input_tensors=keras.tree.map_structure(self._new_input, graph.input),
            clone_function=self._copy_layer,
            call_function=_call_for_inference,
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
        if self._folds and _is_foldable(layer):
            return self._new_folded(layer)
        config = self._config(layer)
        if isinstance(layer, keras.layers.Lambda):
            # From its config a Lambda would get marshalled bytecode without its globals.
            return keras.layers.Lambda(
                layer.function,
                output_shape=layer._output_shape,
                mask=layer.mask,
                arguments=layer.arguments,
                name=layer.name,
                dtype=config["dtype"],
            )
        try:
            new = type(layer).from_config(config)
        except Exception as error:
            raise ValueError(
                "Every layer must be rebuildable from its get_config() to be copied for "
                f"inference. Received: layer {layer.name!r} of type {type(layer).__name__}, "
                f"whose from_config failed with: {error}"
            ) from error
        new.name = layer.name  # a config that Keras makes up for a layer may lack it
        return new

    def _new_operation(self, operation):
        """Copies a stateless operation, without the places that it holds in the old graph."""
        new = copy.copy(operation)
        new._inbound_nodes = []
        new._outbound_nodes = []
        if self._dtype and isinstance(getattr(operation, "dtype", None), str):
            new.dtype = self._converted(operation.dtype)
        return new

    def _new_folded(self, layer):
        ones, zeros = np.ones(layer.rho.shape), np.zeros(layer.rho.shape)
        try:
            constants = fold_constants(
                ones if layer.gamma is None else _numpy(layer.gamma),
                zeros if layer.beta is None else _numpy(layer.beta),
                _numpy(layer.rho),
                _numpy(layer.moving_mean),
                _numpy(layer.moving_variance),
                layer.epsilon,
            )
        except ValueError as error:
            raise ValueError(f"Layer {layer.path!r} cannot be folded. {error}") from error
        folded = FoldedBatchInstanceNormalization(
            axis=layer.axis,
            epsilon=layer.epsilon,
            instance=constants.instance_scale is not None,
            name=layer.name,
            dtype=self._config(layer)["dtype"],
        )
        self._constants[id(folded)] = [value for value in constants if value is not None]
        return folded

    def _config(self, layer):
        return self._converted(layer.get_config())

    def _converted(self, config):
        return to_dtype(config, self._dtype) if self._dtype else config

    def _copy_weights(self):
        for layer, new in self._copies.values():
            if id(new) in self._constants:
                new.set_weights(self._constants[id(new)])
            elif isinstance(layer, keras.layers.Layer) and not is_graph(layer):
                _copy_state(layer, new)
        for layer in bin_layers(self.model):
            rho = _numpy(layer.rho)
            if not np.isfinite(rho).all():
                raise ValueError(
                    "`rho` must be finite; its training has diverged, or it was set from outside, "
                    f"so load an earlier state. Received: {layer.path}/rho={rho}"
                )
            layer.rho.assign(np.clip(rho, 0, 1))


def _is_foldable(layer):
    """Tells whether `layer` computes what BIN computes; a subclass's own `call` may not."""
    own = BatchInstanceNormalization
    return isinstance(layer, own) and type(layer).call is own.call


def _copy_state(layer, new):
    """Copies weights and assets as a saved file would, so that a layer is ready as after load."""
    for source, target in zip(layer._flatten_layers(), new._flatten_layers(), strict=True):
        store = {}
        source.save_own_variables(store)
        target.load_own_variables({key: np.array(value) for key, value in store.items()})
        if hasattr(source, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                source.save_assets(folder)
                target.load_assets(folder)


def _numpy(variable):
    return keras.ops.convert_to_numpy(variable)


def _call_for_inference(layer, *args, **kwargs):
    """Calls a copied layer as the model calls the original, in inference mode."""
    if isinstance(layer, FoldedBatchInstanceNormalization):
        signature = inspect.signature(BatchInstanceNormalization.call)
        arguments = signature.bind(layer, *args, **kwargs).arguments
        training = arguments.get("training")
        args, kwargs = (arguments["inputs"],), {"mask": arguments.get("mask")}
    else:
        training = kwargs.get("training")
    if training and isinstance(layer, keras.layers.Layer):
        normalized = [
            inner.name
            for inner in layer._flatten_layers()
            if isinstance(inner, (BatchInstanceNormalization, FoldedBatchInstanceNormalization))
        ]
        if normalized:
            raise ValueError(
                "BIN layers must be called with training=None or False to be exported: with "
                "training=True they normalize with the statistics of each batch, so that an "
                "output would depend on its neighbours. "
                f"Received: training=True for layer {layer.name!r} (BIN layers: {normalized})"
            )
    return layer(*args, **kwargs)
