"""Carrying out a conversion: copy, compare, and make a model of the requested class."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from keras_bin.comparing.compare import Comparison, compare
from keras_bin.comparing.original import Tolerance
from keras_bin.conversion.plan import Plan, plan
from keras_bin.conversion.replacements import TO_BATCH_NORMALIZATION, TO_BIN, Converted
from keras_bin.conversion.report import LayerConversion, by_reason
from keras_bin.conversion.rules import why_not_batch_normalization, why_not_bin
from keras_bin.conversion.selection import Rho, Where, check_where, gates_for
from keras_bin.errors import ArgumentError
from keras_bin.gates.finding import bin_layers
from keras_bin.keras_internals import Functional, all_layers, set_own_trainable
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.messages import listed
from keras_bin.networks.copying import Copier, holds_own_code
from keras_bin.networks.graph import as_functional, check_model, is_graph
from keras_bin.networks.rebuilding import CopyError
from keras_bin.stages import begin_stage
from keras_bin.training.model import BINModel

TOLERANCE = Tolerance(half=0.03, single=1e-4, double=1e-11)
# Statistics of a small batch amplify rounding.
TRAINING_TOLERANCE = Tolerance(half=0.3, single=1e-2, double=1e-6)

_NOT_COMPARED = (
    "The model was converted, but its outputs could not be compared{mode}: it does not run on "
    "generated inputs, or its outputs are random or not finite. Compare them on your own data."
)
_NOT_BUILT = (
    "The model was compared in inference mode only, as these layers are not built: {layers}. Call "
    "the model in a way that reaches them before you convert it."
)

ModelClass = Callable[..., keras.Model] | None


class Conversion(NamedTuple):
    """A converted model, and what to tell the user about it.

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
    notes: list[str]


def to_bin(
    model: keras.Model, rho: Rho = 1.0, where: Where = None, model_class: ModelClass = None
) -> Conversion:
    """Converts a model; see `convert_batch_normalization`."""
    _check_class(model_class)
    planned = planned_bin(model, where)
    _check_converted(planned, model, where)
    gates = gates_for(planned.converted, rho)
    copy = _carried_out(model, planned, TO_BIN)
    if copy.plan != planned:
        _check_converted(copy.plan, model, where)
        gates = gates_for(copy.plan.converted, rho)
    for layer in copy.plan.converted:
        new = copy.copier.copy_of(layer)
        new.rho.assign(keras.ops.broadcast_to(gates[id(layer)], new.rho.shape))
    return _finished(model, copy, model_class, BINModel)


def to_batch_normalization(model: keras.Model, model_class: ModelClass = None) -> Conversion:
    """Converts a model back; see `revert_to_batch_normalization`."""
    check_model(model)
    _check_class(model_class)
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


def _check_class(model_class: ModelClass) -> None:
    if not (model_class is None or callable(model_class)):
        raise TypeError(
            "`model_class` must be a class that takes inputs, outputs and a name, such as "
            f"keras_bin.BINModel. Received: model_class={model_class!r}"
        )


def _check_converted(planned: Plan, model: keras.Model, where: Where) -> None:
    if planned.converted:
        return
    if not planned.layers:
        raise ValueError(
            "`model` must contain a BatchNormalization layer; only those are converted. "
            f"Received: model {model.name!r}, which contains none"
        )
    raise (ValueError if where is None else ArgumentError)(
        "`model` must contain a BatchNormalization layer that can be converted, and that `where` "
        f"selects. Received: where={where!r} for model {model.name!r}, whose layers stay as they "
        f"are: {by_reason(planned.report)}"
    )


class _DifferentError(ValueError):
    """The copy computes something different."""


def _carried_out(model: keras.Model, planned: Plan, conversion: Converted) -> _Copy:
    """Copies and compares; if that fails, leaves the layers inside custom layers as they are."""
    graph = as_functional(model)
    try:
        return _copied(graph, planned, conversion)
    except (CopyError, _DifferentError):
        outer = planned.without_inner(graph)
        if outer == planned:
            raise
        return _copied(graph, outer, conversion)


def _copied(graph: keras.Model, planned: Plan, conversion: Converted) -> _Copy:
    begin_stage("convert")
    replacements = dict.fromkeys(map(id, planned.converted), conversion)
    copier = Copier(graph, replacements, inference=False, of_kind=_of_kind)
    copy = copier.copy()
    begin_stage("verify")
    found = compare(graph, copy, TOLERANCE)
    _check_same(graph, found, "inference")
    if not found.ran:
        return _Copy(copy, planned, copier, [_NOT_COMPARED.format(mode="")])
    if not holds_own_code(graph):  # layers of Keras alone train as they did
        return _Copy(copy, planned, copier, [])
    # A run in training mode would build them.
    unbuilt = [layer for layer in all_layers(graph) if not layer.built]
    if unbuilt:
        others = [layer.path or layer.name for layer in unbuilt if layer not in planned.layers]
        notes = [_NOT_BUILT.format(layers=listed(others))] if others else []
        return _Copy(copy, planned, copier, notes)
    norms = [(layer, copier.copy_of(layer)) for layer in planned.layers]
    trained = compare(graph, copy, TRAINING_TOLERANCE, trained=norms)
    _check_same(graph, trained, "training")
    notes = [] if trained.ran else [_NOT_COMPARED.format(mode=" in training mode")]
    return _Copy(copy, planned, copier, notes)


def _of_kind(model: keras.Model, copy: keras.Model) -> keras.Model:
    if not isinstance(model, BINModel):
        return copy
    return BINModel.from_model(copy, model.rho_gradient_scale)


def _check_same(graph: keras.Model, found: Comparison, mode: str) -> None:
    if found.differences:
        uses = f"uses the weights of {list(found.uses)} and " if found.uses else ""
        raise _DifferentError(
            f"A converted model must compute the same as the original in {mode} mode; a custom "
            "layer that calls another layer through a function or a global name, or that depends "
            "on the class of its layers, breaks that. Keep layers in attributes, and call them. "
            f"Received: model {graph.name!r}, whose copy {uses}differs in: "
            f"{'; '.join(found.differences)}"
        )


def _finished(
    model: keras.Model, copy: _Copy, model_class: ModelClass, default: type[keras.Model]
) -> Conversion:
    """Makes a model of the requested class, and collects the notes for the user."""
    notes = list(copy.notes)
    if copy.plan.refused:
        notes.append(f"These layers were left as they are: {by_reason(copy.plan.refused)}")
    if model_class is None and is_graph(model) and not _is_plain(model):
        notes.append(
            f"The model's class, {type(model).__name__}, became {default.__name__}: its own "
            "methods, such as `train_step`, are gone. Pass `model_class` to keep them."
        )
    return Conversion(_of_class(model, copy, model_class, default), copy.plan.report, notes)


def _is_plain(model: keras.Model) -> bool:
    """Tells whether a Functional or Sequential model does not have its own class."""
    plain = (Functional, keras.Sequential, keras.Model)
    return type(model) in plain or BINModel in type(model).__bases__


def _of_class(
    model: keras.Model, copy: _Copy, model_class: ModelClass, default: type[keras.Model]
) -> Any:
    if model_class is None and not is_graph(model):
        return copy.copier.copy_of(model)
    make = model_class or default
    new = make(copy.model.input, copy.model.output, name=model.name)
    if not isinstance(new, keras.Model):
        raise TypeError(
            "`model_class` must make a keras.Model from inputs, outputs and a name, such as "
            f"keras_bin.BINModel. Received: model_class={model_class!r}, which made {new!r}"
        )
    # A function, such as a `functools.partial`, may have set its own scale.
    if isinstance(model, BINModel) and isinstance(make, type) and issubclass(make, BINModel):
        new.rho_gradient_scale = model.rho_gradient_scale
    set_own_trainable(new, model.trainable)
    return new
