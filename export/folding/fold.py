"""Folding a trained model for inference."""

import keras

from ..models.graph import as_functional, check_model
from ..models.rho_tolerance import check_rho_tolerance
from ..results.errors import ValuesError
from ..results.layer_report import LayerFold
from .comparing import check_folded
from .copying import CopyError, copy_model
from .plan import FoldPlan, plan_folding


def fold(model: keras.Model, rho_tolerance: float = 0.0) -> keras.Model:
    """Returns a new model for inference in which normalization layers are folded into constants.

    The running statistics, rho (clipped to [0, 1]), gamma and beta of every
    `BatchInstanceNormalization`, and of every `keras.layers.BatchNormalization`, turn into
    constants per channel, computed in float64 and cast once.

    - If every rho of a layer is 1, and for batch normalization, the layer becomes an affine map.
      The convolution or dense layer before it absorbs this map into its weights, if that layer
      has no activation, is called once, and nothing else reads its output.
    - If every rho is 0, the layer becomes one instance normalization.
    - Otherwise it computes statistics once, and multiplies and adds once. The layer before
      absorbs the channels whose rho is 1, and the running mean of the others.

    All other layers are copied with their weights; shared layers stay shared. Custom layers are
    copied attribute by attribute, not from their `get_config`, and BIN layers inside them are
    folded, whether they are attributes, in lists or in dicts. If the copy of a custom layer then
    does not run, or computes something else (its `call` reads weights of a BIN layer, or sets
    `training=True` for it), no BIN layer inside a custom layer is folded. Normalization layers
    that override `call` are copied unfolded. The batch size of the inputs becomes None,
    half-precision models become float32, and `model` itself does not change. `fold_report`
    tells what became of each layer.

    The result computes what `model(x, training=False)` and `model.predict` compute: Keras then
    ignores a `training=True` in the graph of a model, so the copy of the graph leaves it out. The
    result is compared with `model`, its rho clipped and moved, on one generated batch. It is not
    compared if the model does not run on that batch, or if its outputs are random or not finite.

    Args:
        model: a built Functional or Sequential model, nested ones included, or a subclassed
            model of one input tensor.
        rho_tolerance: gates this close to 0 or 1 are moved there; at least 0, below 0.5.

    Returns:
        An uncompiled `keras.Model` with the inputs, outputs and names of `model`.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is not built or cannot be made Functional, a weight of a
            normalization layer is not finite, a layer cannot be copied, or `rho_tolerance` is
            out of range.
        ValuesError: the result does not compute what `model` does, or uses its weights;
            a subclass of ValueError.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization()(x))  # rho is 1
    >>> [layer.name for layer in fold(model).layers][1:]
    ['conv2d', 'batch_instance_normalization']
    """
    return _folded(model, rho_tolerance)[0]


def fold_report(model: keras.Model, rho_tolerance: float = 0.0) -> list[LayerFold]:
    """Tells what `fold` makes of each normalization layer, in the order of computation.

    Args:
        model: as for `fold`.
        rho_tolerance: as for `fold`.

    Returns:
        A `LayerFold` for each layer.

    Raises:
        TypeError: as for `fold`.
        ValueError: as for `fold`.
        ValuesError: as for `fold`.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold_report
    >>> inputs = keras.Input((8, 8, 3))
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> (layer,) = fold_report(model)
    >>> layer.became, layer.reason
    ('affine map', 'its input is an input of the model, or of the model that it is in')
    """
    return _folded(model, rho_tolerance)[1].layers


def _folded(model: keras.Model, rho_tolerance: float) -> tuple[keras.Model, FoldPlan]:
    """Folds inside custom layers, too, if these then compute what they did before."""
    check_model(model)
    check_rho_tolerance(rho_tolerance)
    graph = as_functional(model)
    try:
        return _carried_out(plan_folding(graph, rho_tolerance), graph, rho_tolerance)
    except (CopyError, ValuesError):
        plan = plan_folding(graph, rho_tolerance, inside=False)
        return _carried_out(plan, graph, rho_tolerance)


def _carried_out(
    plan: FoldPlan, graph: keras.Model, rho_tolerance: float
) -> tuple[keras.Model, FoldPlan]:
    folded = copy_model(graph, rho_tolerance, plan.replacements)
    check_folded(graph, folded, rho_tolerance)
    return folded, plan
