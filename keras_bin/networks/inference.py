"""Running a Keras model in inference mode, on tensors and as the function that is served."""

import contextlib
from collections.abc import Sequence

import keras

from keras_bin.networks.signature import Signature


def run_model(model: keras.Model, tensors: Sequence, training: bool = False) -> list:
    """Calls a model on its flattened inputs; returns its flattened outputs."""
    inputs = keras.tree.pack_sequence_as(model.input, list(tensors))
    return keras.tree.flatten(model(inputs, training=training))


def serving_function(model: keras.Model, signature: Signature, weights: Sequence = ()):
    """Returns a `tf.function` from tensors, in the order of the inputs, to a dict of outputs.

    Args:
        model: a Functional model.
        signature: its signature.
        weights: variables of the model whose values the function takes as further arguments.
    """
    import tensorflow as tf

    specs = [
        tf.TensorSpec(info.shape, tensor.dtype, name=info.name)
        for info, tensor in zip(signature.inputs, model.inputs, strict=True)
    ]
    specs += [tf.TensorSpec(weight.shape, weight.dtype) for weight in weights]
    names = [info.name for info in signature.outputs]

    @tf.function(input_signature=specs, autograph=False)
    def serve(*tensors):
        inputs, values = tensors[: len(signature.inputs)], tensors[len(signature.inputs) :]
        with _values_of(weights, values):
            return dict(zip(names, run_model(model, inputs), strict=True))

    return serve


def _values_of(weights, values):
    """Returns a context in which weights of a model have other values."""
    if not weights:
        return contextlib.nullcontext()
    return keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True)))
