"""Carrying a conversion out: copy, compare, and make a model of the class that is asked for."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from keras_bin.comparing import Tolerance, compare
from keras_bin.conversion.plan import Plan, plan
from keras_bin.conversion.replacements import TO_BATCH_NORMALIZATION, TO_BIN, Converted
from keras_bin.conversion.report import LayerConversion
from keras_bin.conversion.rules import why_not_batch_normalization, why_not_bin
from keras_bin.conversion.selection import Rho, Where, check_where, gates_for
from keras_bin.gates.finding import bin_layers
from keras_bin.keras_internals import Functional, set_own_trainable
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.model import BINModel
from keras_bin.networks.copying import Copier, CopyError
from keras_bin.networks.graph import as_functional, check_model, is_graph

TOLERANCE = Tolerance(half=0.03, single=1e-4, double=1e-11)

ModelClass = Callable[..., keras.Model] | None


class Conversion(NamedTuple):
    """A converted model, and what is to be said of it.

    Attributes:
        model: the model.
        layers: what became of each normalization layer.
        notes: what the user should know, each a sentence or two.
    """

    model: keras.Model
    layers: list[LayerConversion]
    notes: list[str]


class _Copy(NamedTuple):
    model: keras.Model
    plan: Plan
    copier: Copier
    compared: bool


def to_bin(
    model: keras.Model, rho: Rho = 1.0, where: Where = None, model_class: ModelClass = None
) -> Conversion:
    """Converts a model; see `convert_batch_normalization`."""
    planned = planned_bin(model, where)
    _check_converted(planned, model, where)
    gates = gates_for(planned.converted, rho)
    copy = _carried_out(model, planned, TO_BIN)
    for layer in copy.plan.converted:
        new = copy.copier.copy_of(layer)
        new.rho.assign(keras.ops.broadcast_to(gates[id(layer)], new.rho.shape))
    return _finished(model, copy, model_class, BINModel)


def to_batch_normalization(model: keras.Model, model_class: ModelClass = None) -> Conversion:
    """Converts a model back; see `revert_to_batch_normalization`."""
    check_model(model)
    graph = as_functional(model)
    planned = plan(graph, BatchInstanceNormalization, why_not_batch_normalization)
    copy = _carried_out(model, planned, TO_BATCH_NORMALIZATION)
    default = BINModel if bin_layers(copy.model) else keras.Model
    return _finished(model, copy, model_class, default)


def planned_bin(model: keras.Model, where: Where = None) -> Plan:
    """Plans a conversion; see `conversion_report`."""
    check_model(model)
    check_where(where)
    return plan(as_functional(model), keras.layers.BatchNormalization, why_not_bin, where)


def _check_converted(planned: Plan, model: keras.Model, where: Where) -> None:
    if planned.converted:
        return
    if not planned.layers:
        raise ValueError(
            "`model` must hold a BatchNormalization layer; only those are converted. "
            f"Received: model {model.name!r}, which holds none"
        )
    found = "; ".join(f"{each.layer}: {each.reason}" for each in planned.report)
    raise ValueError(
        "`model` must hold a BatchNormalization layer that can be converted, and that `where` "
        f"selects. Received: where={where!r} for model {model.name!r}, whose layers are: {found}"
    )


class _DifferentError(ValueError):
    """The copy computes something else."""


def _carried_out(model: keras.Model, planned: Plan, conversion: Converted) -> _Copy:
    """Copies and compares; leaves layers inside custom layers if these do not work with others."""
    graph = as_functional(model)
    try:
        return _copied(graph, planned, conversion)
    except (CopyError, _DifferentError):
        outer = planned.without_inner(graph)
        if outer == planned:
            raise
        return _copied(graph, outer, conversion)


def _copied(graph: keras.Model, planned: Plan, conversion: Converted) -> _Copy:
    copier = Copier(graph, dict.fromkeys(map(id, planned.converted), conversion), inference=False)
    copy = copier.copy()
    found = compare(graph, copy, TOLERANCE)
    if found.differences:
        uses = f"uses the weights of {list(found.uses)} and " if found.uses else ""
        raise _DifferentError(
            "A converted model must compute in inference mode what the model computes; a custom "
            "layer that calls another layer through a function or a global name breaks that. Hold "
            f"it in an attribute instead. Received: model {graph.name!r}, whose copy {uses}differs "
            f"in: {'; '.join(found.differences)}"
        )
    return _Copy(copy, planned, copier, found.ran)


def _finished(
    model: keras.Model, copy: _Copy, model_class: ModelClass, default: type[keras.Model]
) -> Conversion:
    """Makes a model of the class that was asked for, and says what is to be said."""
    notes = []
    if not copy.compared:
        notes.append(
            f"Model {model.name!r} was converted, but its outputs could not be compared: it does "
            "not run on generated inputs, or its outputs are random or not finite. Compare them on "
            "data of your own."
        )
    if copy.plan.refused:
        listed = "; ".join(f"{each.layer}: {each.reason}" for each in copy.plan.refused)
        notes.append(f"These layers were left as they are: {listed}")
    if model_class is None and is_graph(model) and not _is_plain(model):
        notes.append(
            f"The model was a {type(model).__name__} and became a {default.__name__}: methods of "
            "its class, such as `train_step`, are gone. Pass `model_class` to keep them."
        )
    return Conversion(_of_class(model, copy, model_class, default), copy.plan.report, notes)


def _is_plain(model: keras.Model) -> bool:
    """Tells whether a Functional or Sequential model has no class of its own."""
    plain = (Functional, keras.Sequential, keras.Model)
    return type(model) in plain or BINModel in type(model).__bases__


def _of_class(
    model: keras.Model, copy: _Copy, model_class: ModelClass, default: type[keras.Model]
) -> Any:
    if model_class is None and not is_graph(model):
        return copy.copier.copy_of(model)
    new = (model_class or default)(copy.model.input, copy.model.output, name=model.name)
    if isinstance(new, BINModel) and isinstance(model, BINModel):
        new.rho_gradient_scale = model.rho_gradient_scale
    set_own_trainable(new, model.trainable)
    return new
