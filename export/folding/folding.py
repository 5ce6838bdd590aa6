"""A copy of a model in which normalization layers are constants."""

import keras
import numpy as np
from keras import layers

from keras_bin.folded import FoldedBatchInstanceNormalization
from keras_bin.keras_internals import all_layers, layers_inside
from keras_bin.layer import BatchInstanceNormalization

from ..models.gate_values import gate_change
from ..models.rho_tolerance import check_rho_tolerance
from ..results.layer_fold import ABSORBED, UNFOLDED, LayerFold
from .absorb import absorbed
from .copying import ModelCopy
from .layer_constants import layer_constants
from .places import (
    NORMALIZATIONS,
    is_foldable,
    normalizations_of,
    places,
)

_OWN_CALL = "its call is its own, so it is copied as it is"
_OWN_USE = "a layer of the model's own does more with BIN layers than call them in inference mode"


class Folding(ModelCopy):
    """Copies a model and folds its normalization layers.

    Args:
        model: as for `fold`.
        rho_tolerance: as for `fold`.
        inside: whether to fold BIN layers inside layers of a user's own, too.

    Attributes:
        model: the folded model.
        layers: what became of each normalization layer.
    """

    def __init__(
        self,
        model: keras.Model,
        rho_tolerance: float = 0.0,
        inside: bool = True,
    ):
        check_rho_tolerance(rho_tolerance)
        self._inside = inside
        self._constants = {}
        self._taken = {}
        self._noted = set()
        self.layers = []
        super().__init__(model, rho_tolerance=rho_tolerance)
        for layer in all_layers(self._graph):
            if isinstance(layer, NORMALIZATIONS) and layer.built and id(layer) not in self._noted:
                reason = "it is inside a layer, where only BIN layers are folded"
                if isinstance(layer, BatchInstanceNormalization):
                    reason = _OWN_USE if is_foldable(layer) else _OWN_CALL
                self._note(layer, UNFOLDED, reason=reason)

    def _prepare(self, graph):
        self._graph = graph
        found = normalizations_of(graph)
        for layer in filter(is_foldable, found):
            self._constants[id(layer)] = layer_constants(layer, self._rho_tolerance)
        affine = {key for key, constants in self._constants.items() if constants.affine}
        self._places = places(graph, affine)
        for layer in found:
            if id(layer) in self._constants:
                self._absorb(layer)
            else:
                self._note(layer, UNFOLDED, reason=_OWN_CALL)

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
        change = gate_change(layer, self._rho_tolerance)
        channels = layer.moving_mean.shape[0]
        self._noted.add(id(layer))
        self.layers.append(
            LayerFold(
                layer.path,
                type(layer).__name__,
                became,
                channels=channels,
                **change._asdict(),
                **facts,
            )
        )

    def _new_layer(self, layer):
        if id(layer) in self._constants:
            return self._new_folded(layer)
        if id(layer) in self._taken and layer.bias is None:
            return self._rebuilt(layer, {**self._config(layer), "use_bias": True})
        return super()._new_layer(layer)

    def _new_folded(self, layer):
        constants = self._constants[id(layer)]
        place = self._places.get(id(layer))
        if constants.affine and place is not None and place.producer is not None:
            return _Gone(layer.name, self._config(layer)["dtype"], place.is_output)
        return FoldedBatchInstanceNormalization(
            axis=layer.axis,
            epsilon=layer.epsilon,
            batch=constants.scale is not None,
            instance=not constants.affine,
            centered=constants.mean is None and not constants.affine,
            name=layer.name,
            dtype=self._config(layer)["dtype"],
        )

    def _has_faithful_config(self, layer):
        inside = layers_inside(layer)
        return super()._has_faithful_config(layer) and not any(map(self._replaceable, inside))

    def _replaceable(self, layer):
        is_bin = isinstance(layer, BatchInstanceNormalization) and is_foldable(layer)
        return (self._inside and is_bin) or isinstance(layer, FoldedBatchInstanceNormalization)

    def _replaced(self, layer):
        """Folds BIN layers inside another layer; what they read is for its call to decide."""
        copy = super()._replaced(layer)
        if copy is not None or not (self._replaceable(layer) or id(layer) in self._constants):
            return copy
        if is_foldable(layer) and id(layer) not in self._constants:
            self._constants[id(layer)] = constants = layer_constants(layer, self._rho_tolerance)
            reason = "its owner's call decides what it reads" if constants.affine else ""
            self._note(layer, constants.form, reason=reason)
        copy = self._copy_layer(layer)
        if layer.built and not copy.built:
            copy.build_from_config(layer.get_build_config())
        return copy

    def _call(self, layer, *args, **kwargs):
        if isinstance(layer, _Gone):
            return layer(*args, **kwargs)
        return super()._call(layer, *args, **kwargs)

    def _copy_state(self, layer, new):
        if isinstance(new, _Gone):
            return
        if id(layer) in self._constants and isinstance(new, FoldedBatchInstanceNormalization):
            new.set_weights([value for value in self._constants[id(layer)] if value is not None])
        elif id(layer) in self._taken:
            for name, value in absorbed(layer, *self._taken[id(layer)]).items():
                getattr(new, name).assign(value)
        else:
            super()._copy_state(layer, new)


class _Gone:
    """Stands for a layer that the one before it has absorbed."""

    def __init__(self, name, dtype, is_output):
        self._identity = layers.Identity(name=name, dtype=dtype) if is_output else None

    def __call__(self, inputs, *_args, **_kwargs):
        return inputs if self._identity is None else self._identity(inputs)
