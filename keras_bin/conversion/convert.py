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

    With rho = 1, BIN is batch normalization: the copy computes the same as `model`, in inference
    and in training, and updates its moving statistics in the same way. rho learns from there.

    Each `keras.layers.BatchNormalization` becomes a `BatchInstanceNormalization` with its gamma,
    beta, moving statistics, axis, epsilon, momentum, center, scale, synchronized, initializers,
    regularizers, constraints, dtype policy and name, and with the same parts frozen. All other
    layers are copied with their weights, and shared layers stay shared. Layers are found in nested
    models, wrappers, custom layers and subclassed models, whether they are in attributes, lists or
    dicts. A custom layer or a subclassed model is copied attribute by attribute, not from its
    `get_config`. If it contains converted layers, it cannot be loaded from a `.keras` file, because
    its config does not record the conversion. Save its weights instead, and load them into a model
    that is converted in the same way.

    A layer that cannot be converted exactly is left as it is, and a warning gives the reason: it
    has no spatial axis (after Dense), has `renorm=True`, shares a weight with another layer, or is
    of a subclass with its own methods, such as `call`. A layer is also left if the custom layer
    that contains it does more than call it. `conversion_report` lists all layers.

    Before the copy is returned, its outputs at rho = 1 are compared with those of `model` on one
    generated batch, in inference mode. If `model` contains custom layers or functions, the outputs
    in training mode, and the moving statistics after it, are compared as well. `model` does not
    change.

    Args:
        model: a built model; a subclassed one must take one argument.
        rho: initial gates of the new layers, in [0, 1]: a number, an array with one value per
            channel, or a function that takes a layer of `model` and returns either. A function with
            a second required argument also gets the depth: 0 for the first converted layer, 1 for
            the last.
        where: which layers to convert: a pattern such as `"stage1_*"` that matches their names or
            paths, or a function that returns True for them. `"first"` is the layer that is called
            first, where style enters: converting it alone gives much of the benefit of converting
            all layers, and costs little to serve. None means all.
        model_class: class of the result, or a function that makes it, called as
            `model_class(inputs, outputs, name=...)`. The default is `BINModel`; a subclassed model
            keeps its class.

    Returns:
        An uncompiled model with the inputs, outputs and name of `model`.

    Raises:
        TypeError: `model` is not a Keras model, or `where` is of another type.
        ValueError: `model` is not built, no layer is converted, a gate is outside [0, 1], a layer
            cannot be copied, or the copy computes something different.

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
    weights and arguments. Other BIN layers are left as they are, and a warning lists each with the
    reason; a model without BIN layers is just copied. Everything else is as in
    `convert_batch_normalization`, including the comparison.

    Args:
        model: a built model.
        model_class: as for `convert_batch_normalization`. The default is `keras.Model`, or
            `BINModel` if BIN layers are left.

    Returns:
        An uncompiled model with the inputs, outputs and name of `model`.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is not built, a layer cannot be copied, or the copy computes something
            different.

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
    """Lists what `convert_batch_normalization` would do with each batch normalization layer.

    Nothing is copied. The conversion itself may leave more layers as they are: those inside custom
    layers that do more than call them.

    Args:
        model: as for `convert_batch_normalization`.
        where: as for `convert_batch_normalization`.

    Returns:
        A list with a `LayerConversion` for each layer, in the order of computation. It prints, and
        displays in a notebook, as a table.

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
