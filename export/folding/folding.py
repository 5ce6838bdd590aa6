"""A copy of a model in which normalization layers are constants."""

import keras
import numpy as np
from keras import layers

from keras_bin.export.folding.absorb import absorbed
from keras_bin.export.folding.constants import check_rho_tolerance, fold_constants, snap
from keras_bin.export.folding.copying import (
    ModelCopy,
    copy_own_state,
    refuse_training,
    to_numpy,
)
from keras_bin.export.folding.graph import is_graph
from keras_bin.export.folding.layer_fold import ABSORBED, UNFOLDED, LayerFold
from keras_bin.export.folding.places import (
    NORMALIZATIONS,
    called_in_training,
    is_foldable,
    normalizations_of,
    places,
)
from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.layer import BatchInstanceNormalization


class Folding(ModelCopy):
    """Copies a model and folds its normalization layers.

    Args:
        model: as for `fold`.
        rho_tolerance: as for `fold`.
        layer_class: what folded layers become, a subclass of the default.

    Attributes:
        model: the folded model.
        layers: what became of each normalization layer.
    """

    def __init__(
        self,
        model: keras.Model,
        rho_tolerance: float = 0.0,
        layer_class: type = FoldedBatchInstanceNormalization,
    ):
        check_rho_tolerance(rho_tolerance)
        self._layer_class = layer_class
        self._constants = {}
        self._taken = {}
        self._noted = set()
        self.layers = []
        super().__init__(model, rho_tolerance=rho_tolerance)
        for layer in self._graph._flatten_layers():
            if isinstance(layer, NORMALIZATIONS) and layer.built and id(layer) not in self._noted:
                reason = "it is inside a layer, where only BIN layers are folded"
                if isinstance(layer, BatchInstanceNormalization):
                    reason = "it is inside a layer that holds it where folding does not look"
                self._note(layer, UNFOLDED, reason=reason)

    def _prepare(self, graph):
        self._graph = graph
        trained = called_in_training(graph)
        found = normalizations_of(graph)
        for layer in found:
            is_bin = isinstance(layer, BatchInstanceNormalization)
            if is_foldable(layer) and (is_bin or id(layer) not in trained):
                self._constants[id(layer)] = self._fold_constants(layer)
        affine = {key for key, constants in self._constants.items() if constants.affine}
        self._places = places(graph, affine)
        for layer in found:
            if id(layer) in self._constants:
                self._absorb(layer)
            else:
                called = id(layer) in trained
                reason = "called with training=True" if called else "its call is its own"
                self._note(layer, UNFOLDED, reason=f"{reason}, so it is copied as it is")

    def _absorb(self, layer):
        """Hands to the layer before what it can take, and notes what is left."""
        constants, place = self._constants[id(layer)], self._places[id(layer)]
        if place.producer is not None:
            channels = layer.moving_mean.shape
            nothing = np.ones(channels), np.zeros(channels)
            scale, offset = self._taken.get(id(place.producer), nothing)
            taken_scale, taken_offset, self._constants[id(layer)] = constants.handed_over()
            self._taken[id(place.producer)] = (
                scale * taken_scale,
                offset * taken_scale + taken_offset,
            )
        if constants.affine and place.producer is not None:
            self._note(layer, ABSORBED, into=place.producer.path)
        else:
            self._note(layer, constants.form, reason=place.reason if constants.affine else "")

    def _note(self, layer, became, **facts):
        channels, snapped = layer.moving_mean.shape[0], 0
        if isinstance(layer, BatchInstanceNormalization):
            rho = np.clip(to_numpy(layer.rho), 0, 1)
            snapped = np.count_nonzero(snap(rho, self._rho_tolerance) != rho)
        kind = type(layer).__name__
        self._noted.add(id(layer))
        self.layers.append(
            LayerFold(layer.path, kind, became, channels=channels, snapped=int(snapped), **facts)
        )

    def _fold_constants(self, layer):
        shape = layer.moving_mean.shape
        is_bin = isinstance(layer, BatchInstanceNormalization)
        try:
            return fold_constants(
                np.ones(shape) if layer.gamma is None else to_numpy(layer.gamma),
                np.zeros(shape) if layer.beta is None else to_numpy(layer.beta),
                snap(to_numpy(layer.rho), self._rho_tolerance) if is_bin else np.ones(shape),
                to_numpy(layer.moving_mean),
                to_numpy(layer.moving_variance),
                layer.epsilon,
            )
        except ValueError as error:
            raise ValueError(f"Layer {layer.path!r} cannot be folded. {error}") from error

    def _new_layer(self, layer):
        if id(layer) in self._constants:
            return self._new_folded(layer)
        if id(layer) in self._taken:
            return self._rebuilt(layer, {**self._config(layer), "use_bias": True})
        if isinstance(layer, FoldedBatchInstanceNormalization):
            return self._layer_class.from_config(self._config(layer))
        new = super()._new_layer(layer)
        if isinstance(layer, keras.layers.Layer) and not is_graph(layer):
            self._fold_inside(layer, new)
        return new

    def _new_folded(self, layer):
        constants = self._constants[id(layer)]
        place = self._places.get(id(layer))
        if constants.affine and place is not None and place.producer is not None:
            return _Gone(layer.name, self._config(layer)["dtype"], place.is_output)
        return self._layer_class(
            axis=layer.axis,
            epsilon=layer.epsilon,
            batch=constants.scale is not None,
            instance=not constants.affine,
            centered=constants.mean is None and not constants.affine,
            name=layer.name,
            dtype=self._config(layer)["dtype"],
        )

    def _fold_inside(self, layer, new):
        """Folds BIN layers among the attributes of a copied layer that is not called yet."""
        for name, value in list(vars(layer).items()):
            if name.startswith("_") or not hasattr(new, name):
                continue
            if isinstance(value, keras.layers.Layer):
                setattr(new, name, self._folded_inside(new, value, getattr(new, name)))
            elif isinstance(value, list) and any(isinstance(x, keras.layers.Layer) for x in value):
                pairs = zip(value, list(getattr(new, name)), strict=True)
                setattr(new, name, [self._folded_inside(new, *pair) for pair in pairs])

    def _folded_inside(self, owner, layer, new):
        if not isinstance(layer, keras.layers.Layer):
            return new
        foldable = isinstance(layer, BatchInstanceNormalization) and is_foldable(layer)
        if not foldable and not isinstance(layer, FoldedBatchInstanceNormalization):
            if not is_graph(layer):
                self._fold_inside(layer, new)
            return new
        if foldable and id(layer) not in self._constants:
            self._constants[id(layer)] = constants = self._fold_constants(layer)
            reason = "its owner's call decides what it reads" if constants.affine else ""
            self._note(layer, constants.form, reason=reason)
        copy = self._copy_layer(layer)
        if owner.built:  # Keras builds layers that it finds inside a config
            owner._tracker.unlock()
            copy.build_from_config(layer.get_build_config())
        owner._tracker.untrack(new)
        return copy

    def _call(self, layer, *args, **kwargs):
        if isinstance(layer, _Gone):
            return layer(*args, **kwargs)
        if kwargs.get("training") and isinstance(layer, keras.layers.Layer):
            inside = layer._flatten_layers()
            folded = [x.name for x in inside if isinstance(x, FoldedBatchInstanceNormalization)]
            refuse_training(layer, folded)
        return super()._call(layer, *args, **kwargs)

    def _copy_state(self, layer, new):
        if isinstance(new, _Gone):
            return
        if id(layer) in self._constants and isinstance(new, self._layer_class):
            new.set_weights([value for value in self._constants[id(layer)] if value is not None])
        elif id(layer) in self._taken:
            for name, value in absorbed(layer, *self._taken[id(layer)]).items():
                getattr(new, name).assign(value)
        else:
            copy_own_state(layer, new)
            self._copy_state_inside(layer, new)

    def _copy_state_inside(self, layer, new):
        """Copies the state of inner layers, but of those that have copies of their own."""
        copies = {id(source): id(copy) for source, copy in self._copies.values()}
        inside = {id(inner) for inner in new._layers}
        others = iter([inner for inner in new._layers if id(inner) not in copies.values()])
        for inner in layer._layers:
            if copies.get(id(inner)) not in inside:
                self._copy_state(inner, next(others))


class _Gone:
    """Stands for a layer that the one before it has absorbed."""

    def __init__(self, name, dtype, is_output):
        self._identity = layers.Identity(name=name, dtype=dtype) if is_output else None

    def __call__(self, inputs, *_args, **_kwargs):
        return inputs if self._identity is None else self._identity(inputs)
