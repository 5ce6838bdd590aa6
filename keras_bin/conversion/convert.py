"""From batch normalization to BIN in one call, and back."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_bin.comparing import Tolerance, compare
from keras_bin.conversion.plan import Plan, plan
from keras_bin.conversion.replacements import TO_BATCH_NORMALIZATION, TO_BIN, Converted
from keras_bin.conversion.report import LayerConversion
from keras_bin.conversion.rules import why_not_batch_normalization, why_not_bin
from keras_bin.conversion.selection import Rho, Where, check_where, gates_for
from keras_bin.gates import bin_layers
from keras_bin.keras_internals import Functional, set_own_trainable
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.model import BINModel
from keras_bin.networks.copying import Copier, CopyError
from keras_bin.networks.graph import as_functional, check_model, is_graph

TOLERANCE = Tolerance(half=0.03, single=1e-4, double=1e-11)

ModelClass = Callable[..., keras.Model] | None


def convert_batch_normalization(
    model: keras.Model,
    rho: Rho = 1.0,
    where: Where = None,
    model_class: ModelClass = None,
) -> keras.Model:
    """Returns a copy of a model with BIN layers in place of batch normalization.

    With rho = 1, BIN is batch normalization: the copy computes what `model` computes, in inference
    and in training, and its moving statistics follow as before. From there rho learns.

    Each `keras.layers.BatchNormalization` becomes a `BatchInstanceNormalization` with its gamma,
    beta, moving statistics, axis, epsilon, momentum, center, scale, synchronized, initializers,
    regularizers, constraints, dtype policy and name, and as much of it frozen. All other layers are
    copied with their weights, and shared layers stay shared. Layers are found in nested models,
    wrappers, custom layers and subclassed models, whether they are attributes, in lists or in
    dicts. A custom layer or a subclassed model is copied attribute by attribute, not from its
    `get_config`: it cannot be loaded from a `.keras` file, whose config knows nothing of the
    conversion. Save its weights, and load them into another conversion.

    A layer that cannot be converted right is left as it is, and a warning lists it with the reason:
    one without a spatial axis (after Dense), with `renorm=True`, or of a subclass with methods of
    its own, such as `call`. So are those in a custom layer that does more with them than call them.
    `conversion_report` lists all layers.

    Before anything is returned, the outputs of the copy, at rho = 1, are compared with those of
    `model` on one generated batch, in inference mode. `model` does not change.

    Args:
        model: a built model; a subclassed one must take one argument.
        rho: the gates that the new layers start with, in [0, 1]: a number, an array with one for
            each channel, or a function that returns such for a layer of `model`. A function of two
            arguments gets the depth, too: 0 for the first layer that is converted, 1 for the last.
        where: which layers to convert: a name pattern such as `"stage1_*"` for their names or
            paths, or a function that is true for them. `"first"` is the one that is called first,
            where style enters: it alone gives a large share of what BIN gives everywhere, and
            costs next to nothing when it is served. None means all.
        model_class: makes the result, as `model_class(inputs, outputs, name=...)`. The default is
            `BINModel`; a subclassed model keeps its class.

    Returns:
        An uncompiled model with the inputs, outputs and name of `model`.

    Raises:
        TypeError: `model` is not a Keras model, or `where` is of another type.
        ValueError: `model` is not built, no layer is converted, a gate is outside [0, 1], a layer
            cannot be copied, or the copy computes something else.

    Example:
    >>> import keras, keras_bin
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)
    >>> x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x))
    >>> model = keras_bin.convert_batch_normalization(keras.Model(inputs, x))
    >>> type(model).__name__, type(model.get_layer("norm")).__name__
    ('BINModel', 'BatchInstanceNormalization')

    Source: Nam & Kim 2018, section 3: rho = 1 is batch normalization.
    """
    check_model(model)
    check_where(where)
    graph = as_functional(model)
    planned = _plan_to_bin(graph, where)
    _check_converted(planned, model, where)
    gates_for(planned.converted, rho)
    converted, planned, copier = _carried_out(graph, planned, TO_BIN)
    for layer, gates in zip(planned.converted, gates_for(planned.converted, rho), strict=True):
        new = copier.copy_of(layer)
        new.rho.assign(keras.ops.broadcast_to(gates, new.rho.shape))
    _warn_of(planned.refused)
    return _finished(model, converted, copier, model_class, BINModel)


def revert_to_batch_normalization(
    model: keras.Model, model_class: ModelClass = None
) -> keras.Model:
    """Returns a copy of a model with batch normalization in place of the BIN layers that are it.

    A BIN layer whose rho is 1 in every channel becomes a `keras.layers.BatchNormalization` with its
    weights and arguments; the rest is as in `convert_batch_normalization`, the comparison included.
    Other layers are left, and a warning lists each with the reason.

    Args:
        model: a built model.
        model_class: as for `convert_batch_normalization`. The default is `keras.Model`, or
            `BINModel` if BIN layers are left.

    Returns:
        An uncompiled model with the inputs, outputs and name of `model`.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is not built, a layer cannot be copied, or the copy computes something
            else.

    Example:
    >>> import keras, keras_bin
    >>> norm = keras_bin.BatchInstanceNormalization(name="norm")
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), norm])
    >>> reverted = keras_bin.revert_to_batch_normalization(model)
    >>> type(reverted.get_layer("norm")).__name__
    'BatchNormalization'
    """
    check_model(model)
    graph = as_functional(model)
    planned = _plan_to_batch_normalization(graph)
    reverted, planned, copier = _carried_out(graph, planned, TO_BATCH_NORMALIZATION)
    _warn_of(planned.refused)
    default = BINModel if bin_layers(reverted) else keras.Model
    return _finished(model, reverted, copier, model_class, default)


def conversion_report(model: keras.Model, where: Where = None) -> list[LayerConversion]:
    """Tells what `convert_batch_normalization` makes of each batch normalization layer, and why.

    Nothing is copied. In rare cases the conversion leaves more: see what it says of custom layers.

    Args:
        model: as for `convert_batch_normalization`.
        where: as for `convert_batch_normalization`.

    Returns:
        A `LayerConversion` for each layer, in the order of computation.

    Raises:
        TypeError: `model` is not a Keras model, or `where` is of another type.
        ValueError: `model` is not built.

    Example:
    >>> import keras, keras_bin
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.BatchNormalization(name="norm")]
    ... )
    >>> [(layer.layer, layer.became) for layer in keras_bin.conversion_report(model)]
    [('sequential/norm', 'converted')]
    """
    check_model(model)
    check_where(where)
    return _plan_to_bin(as_functional(model), where).report


def _plan_to_bin(graph, where):
    return plan(graph, keras.layers.BatchNormalization, why_not_bin, where)


def _plan_to_batch_normalization(graph):
    return plan(graph, BatchInstanceNormalization, why_not_batch_normalization)


def _check_converted(planned: Plan, model: keras.Model, where: Where) -> None:
    if planned.converted:
        return
    names = [layer.name for layer in planned.layers]
    found = "; ".join(f"{each.layer}: {each.reason}" for each in planned.report) or "none"
    raise ValueError(
        "`model` must hold a BatchNormalization layer that can be converted, and that `where` "
        f"selects. Received: where={where!r} for model {model.name!r}, whose layers are: {found}"
        if names
        else "`model` must hold a BatchNormalization layer; only those are converted. "
        f"Received: model {model.name!r}, which holds none"
    )


def _carried_out(
    graph: keras.Model, planned: Plan, conversion: Converted
) -> tuple[keras.Model, Plan, Copier]:
    """Copies and compares; leaves layers inside custom layers if these do not work with others."""
    try:
        return _copied(graph, planned, conversion)
    except (CopyError, _DifferentError):
        outer = planned.without_inner(graph)
        if outer == planned:
            raise
        return _copied(graph, outer, conversion)


class _DifferentError(ValueError):
    """The copy computes something else."""


def _copied(graph, planned, conversion):
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
    if not found.ran:
        warnings.warn(
            f"Model {graph.name!r} was converted, but its outputs could not be compared: it does "
            "not run on generated inputs, or its outputs are random or not finite. Compare them on "
            "data of your own.",
            stacklevel=4,
        )
    return copy, planned, copier


def _warn_of(refused: Iterable[LayerConversion]) -> None:
    if refused:
        listed = "; ".join(f"{each.layer}: {each.reason}" for each in refused)
        warnings.warn(f"These layers were left as they are: {listed}", stacklevel=3)


def _finished(
    model: keras.Model,
    copy: keras.Model,
    copier: Copier,
    model_class: ModelClass,
    default: type[keras.Model],
) -> Any:
    """Returns the copy as a model of the class that was asked for."""
    if model_class is None and not is_graph(model):
        return copier.copy_of(model)
    if model_class is None:
        _warn_of_class(model, default)
    new = (model_class or default)(copy.input, copy.output, name=model.name)
    if isinstance(new, BINModel) and isinstance(model, BINModel):
        new.rho_gradient_scale = model.rho_gradient_scale
    set_own_trainable(new, model.trainable)
    return new


def _warn_of_class(model: keras.Model, default: type[keras.Model]) -> None:
    plain = (Functional, keras.Sequential, keras.Model)
    if type(model) not in plain and BINModel not in type(model).__bases__:
        warnings.warn(
            f"The model was a {type(model).__name__} and became a {default.__name__}: methods of "
            "its class, such as `train_step`, are gone. Pass `model_class` to keep them.",
            stacklevel=4,
        )
