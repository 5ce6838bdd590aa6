"""Folding a trained model for inference."""

import contextlib
import copy
import inspect

import keras
import numpy as np

from keras_bin.export.constants import fold_constants
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.gates import bin_layers
from keras_bin.layer import BatchInstanceNormalization

HALF_POLICIES = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


def fold(model: keras.Model) -> keras.Model:
    """Returns a new model for inference in which every BIN layer is folded into constants.

    Each `BatchInstanceNormalization` becomes a `FoldedBatchInstanceNormalization`: the
    running statistics, rho (clipped to [0, 1]), gamma and beta turn into constants per
    channel, computed in float64 and cast once. Where every rho of a layer is 1 the layer is
    a pure affine map. All other layers are copied with their weights; layers that were
    shared stay shared. The batch size of the inputs becomes None, half-precision models
    become float32, and `model` itself is left as it is.

    BIN layers inside a layer of your own, or in a wrapper such as TimeDistributed, are
    copied as BIN layers: right, but not folded.

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


def inference_copy(model: keras.Model) -> keras.Model:
    """Returns a float32 copy of `model` with rho clipped to [0, 1] and nothing folded.

    Args:
        model: as for `fold`.

    Raises:
        TypeError: as for `fold`.
        ValueError: as for `fold`.
    """
    return _InferenceCopy(model, folds=False).model


def is_half_precision(model: keras.Model) -> bool:
    """Tells whether any layer of `model` computes in float16 or bfloat16."""
    return any(layer.dtype_policy.name in HALF_POLICIES for layer in model._flatten_layers())


def check_model(model) -> None:
    """Checks that `model` is one that can be copied layer by layer.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is subclassed or not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a keras.Model; load a file with keras.saving.load_model first. "
            f"Received: {model!r} of type {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built before it is folded; call it on data, or give it a "
            f"keras.Input. Received: unbuilt model {model.name!r}"
        )
    if not _is_graph(model):
        raise ValueError(
            "`model` must be Functional or Sequential; the layers of a subclassed model cannot "
            "be replaced from outside. Build it as keras.Model(inputs, model.call(inputs)). "
            f"Received: {model.name!r} of type {type(model).__name__}"
        )


def _is_graph(layer) -> bool:
    """Tells whether `layer` is a model with a known graph from inputs to outputs."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))


class _InferenceCopy:
    """Copies a graph of layers, once each, then their weights."""

    def __init__(self, model, folds: bool):
        check_model(model)
        self._folds = folds
        self._copies = {}
        self._constants = {}
        with _float32_policy() if is_half_precision(model) else contextlib.nullcontext():
            self.model = self._copy_graph(model)
        self._copy_weights()

    def _copy_graph(self, model):
        # A plain model over the same layers: clone_model would compile its clone like `model`.
        graph = keras.Model(model.input, model.output, name=model.name)
        return keras.models.clone_model(
            graph,
            input_tensors=keras.tree.map_structure(_new_input, model.input),
            clone_function=self._copy_layer,
            call_function=_call_for_inference,
        )

    def _copy_layer(self, layer):
        if id(layer) not in self._copies:
            self._copies[id(layer)] = (layer, self._new_layer(layer))
        return self._copies[id(layer)][1]

    def _new_layer(self, layer):
        if not isinstance(layer, keras.layers.Layer):
            return _copy_operation(layer)
        if _is_graph(layer):
            return self._copy_graph(layer)
        if self._folds and isinstance(layer, BatchInstanceNormalization):
            return self._new_folded(layer)
        config = _to_float32(layer.get_config())
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
            return type(layer).from_config(config)
        except Exception as error:
            raise ValueError(
                "Every layer must be rebuildable from its get_config() to be copied for "
                f"inference. Received: layer {layer.name!r} of type {type(layer).__name__}, "
                f"whose from_config failed with: {error}"
            ) from error

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
            dtype=_to_float32(layer.get_config())["dtype"],
        )
        self._constants[id(folded)] = [value for value in constants if value is not None]
        return folded

    def _copy_weights(self):
        for layer, new in self._copies.values():
            if id(new) in self._constants:
                new.set_weights(self._constants[id(new)])
            elif isinstance(layer, keras.layers.Layer) and not _is_graph(layer):
                _copy_state(layer, new)
        for layer in bin_layers(self.model):
            rho = _numpy(layer.rho)
            if np.isnan(rho).any():
                raise ValueError(
                    "`rho` must not be NaN; the training that produced it has diverged, or it "
                    f"was set from outside. Received: {layer.path}/rho={rho}"
                )
            layer.rho.assign(np.clip(rho, 0, 1))


def _copy_state(layer, new):
    """Copies weights as a saved file would, so that layers derive what they derive at load."""
    for source, target in zip(layer._flatten_layers(), new._flatten_layers(), strict=True):
        store = {}
        source.save_own_variables(store)
        target.load_own_variables({key: np.array(value) for key, value in store.items()})


def _numpy(variable):
    return keras.ops.convert_to_numpy(variable)


def _new_input(tensor):
    return keras.Input(
        shape=tensor.shape[1:],
        dtype="float32" if tensor.dtype in HALF_POLICIES else tensor.dtype,
        name=tensor.name,
    )


def _copy_operation(operation):
    """Copies a stateless operation, without the places that it holds in the old graph."""
    new = copy.copy(operation)
    new._inbound_nodes = []
    new._outbound_nodes = []
    return new


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


def _to_float32(config):
    """Returns a layer's config with every half-precision dtype policy in it made float32."""
    if isinstance(config, dict):
        return {
            key: "float32"
            if key in ("dtype", "name") and value in HALF_POLICIES
            else _to_float32(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_to_float32(value) for value in config)
    return config


@contextlib.contextmanager
def _float32_policy():
    """Sets the global dtype policy, for the layers that layers make in their constructors."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
