"""Inputs, outputs and weights of test models."""

import keras
import numpy as np
from keras import ops

from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.verifying.expected import Expected
from keras_bin.export.verifying.verify import compare
from keras_bin.keras_internals import all_layers


def layers_of(model, layer_class):
    return [layer for layer in all_layers(model) if type(layer) is layer_class]


def arrays(model, batch, size=10, seed=0):
    """Inputs for a model, flattened, in the order of `model.inputs`, not centred at zero.

    `size` stands in for each size that the model leaves free; integers are 0 or 1.
    """
    rng = np.random.default_rng(seed)

    def array(tensor):
        shape = (batch, *(size if known is None else known for known in tensor.shape[1:]))
        if tensor.dtype.startswith("float"):
            return rng.normal(1.5, 2, shape).astype(tensor.dtype)
        return rng.integers(0, 2, shape).astype(tensor.dtype)

    return [array(tensor) for tensor in model.inputs]


def predict(model, values):
    """Flattened outputs, in inference mode, for flattened inputs."""
    if isinstance(model, keras.Sequential):
        (inputs,) = values
    else:
        inputs = keras.tree.pack_sequence_as(model.input, values)
    return [ops.convert_to_numpy(y) for y in keras.tree.flatten(model(inputs, training=False))]


def assert_same(folded, model):
    """Checks that two models of an input compute the same, up to rounding."""
    x = np.random.default_rng(4).normal(1.5, 2, (4, *folded.input_shape[1:])).astype("float32")
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(folded(x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-5)


def snapshot(model):
    """Copies of all weights, by path."""
    return {weight.path: np.array(weight) for weight in model.weights}


def compared(artifact, model, atol=None, rtol=None):
    """Compares an artifact with a model on generated samples."""
    return compare(artifact, Expected(ExportedModel(model)), atol, rtol)
