"""From batch normalization to BIN in one call, and back."""

import warnings

import keras

from keras_bin.conversion.carrying_out import (
    Conversion,
    ModelClass,
    planned_bin,
    to_batch_normalization,
    to_bin,
)
from keras_bin.conversion.report import ConversionReport, LayerConversion
from keras_bin.conversion.selection import Rho, Where


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

    A layer that cannot be converted exactly is left, and a warning lists it with the reason:
    one without a spatial axis (after Dense), with `renorm=True`, that shares a weight with another
    layer, or of a subclass with methods of its own, such as `call`. So are those in a custom layer
    that does more with them than call them.
    `conversion_report` lists all layers.

    Before anything is returned, the outputs of the copy, at rho = 1, are compared with those of
    `model` on one generated batch, in inference mode. Where `model` holds custom layers or
    functions, they are compared in training mode as well, and so are the moving statistics after
    it. `model` does not change.

    Args:
        model: a built model; a subclassed one must take one argument.
        rho: the gates that the new layers start with, in [0, 1]: a number, an array with one for
            each channel, or a function that returns such for a layer of `model`. A function that
            needs a second argument gets the depth, too: 0 for the first layer that is converted, 1
            for the last.
        where: which layers to convert: a name pattern such as `"stage1_*"` for their names or
            paths, or a function that is true for them. `"first"` is the one that is called first,
            where style enters: it alone gives a large share of what BIN gives everywhere, and
            costs little when it is served. None means all.
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
    return _told(to_bin(model, rho, where, model_class))


def revert_to_batch_normalization(
    model: keras.Model, model_class: ModelClass = None
) -> keras.Model:
    """Returns a copy of a model with batch normalization in place of BIN layers whose rho is 1.

    A BIN layer whose rho is 1 in every channel becomes a `keras.layers.BatchNormalization` with its
    weights and arguments; the rest is as in `convert_batch_normalization`, the comparison included.
    Other layers are left, and a warning lists each with the reason; without BIN layers the result
    is a copy.

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
    return _told(to_batch_normalization(model, model_class))


def conversion_report(model: keras.Model, where: Where = None) -> list[LayerConversion]:
    """Tells what `convert_batch_normalization` makes of each batch normalization layer, and why.

    Nothing is copied. The conversion itself may leave more layers, inside custom layers that do
    more with them than call them.

    Args:
        model: as for `convert_batch_normalization`.
        where: as for `convert_batch_normalization`.

    Returns:
        A `LayerConversion` for each layer, in the order of computation, in a list that prints and
        shows as a table.

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
    return ConversionReport(planned_bin(model, where).report)


def _told(conversion: Conversion) -> keras.Model:
    for note in conversion.notes:
        warnings.warn(note, stacklevel=3)
    return conversion.model
