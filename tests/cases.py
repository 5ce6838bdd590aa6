"""Inputs and golden cases for the layer's tests, and what a layer makes of them."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

import keras_bin
from testing.reference import Gradients, Weights
from tests.gradients import QUICKEST, differentiated

# Outside of TensorFlow, Keras 3.15 computes means and products of matrices in its own layers
# in float32, even if all else is in float64. Compared with what is exact, their results in
# the tests differ by up to 1.5e-5 on JAX and 4.9e-5 on PyTorch, those of this library by 1e-12.
KERAS_ERROR = {"tensorflow": 0, "jax": 2e-5, "torch": 6e-5}[keras.backend.backend()]
GOLDEN = np.load(Path(__file__).parent / "data" / "layer_cases.npz", allow_pickle=False)
GOLDEN_NAMES = sorted({key.split("/")[0] for key in GOLDEN.files})


class Result(NamedTuple):
    """What a call of a layer gave."""

    y: np.ndarray
    gradients: Gradients


def random_input(shape, axis=-1, seed=0):
    """Draws an input whose samples and channels differ in mean and contrast."""
    rng = np.random.default_rng(seed)
    own = [1] * len(shape)
    own[0], own[axis] = shape[0], shape[axis]
    return rng.normal(size=shape) * rng.uniform(0.3, 3, own) + rng.normal(1, 2, own)


def input_with_constant_sample(shape):
    """Draws an input, channels last, whose first sample has no contrast."""
    x = random_input(shape)
    x[0] = x[0, :1, :1]
    return x


def make_layer(weights, shape, axis=-1, **kwargs):
    """Builds a layer for inputs of `shape` that holds `weights`."""
    layer = keras_bin.BatchInstanceNormalization(axis=axis, **kwargs)
    layer.build(shape)
    layer.set_weights(list(weights))
    return layer


def run(layer, x, dy, training=True, mask=None, way=QUICKEST):
    """Calls a layer and differentiates `sum(y * dy)` by the input and the learned weights."""

    def compute(x):
        y = layer(x, training=training, mask=mask)
        return ops.sum(y * ops.cast(dy, y.dtype)), y

    learned = (layer.gamma, layer.beta, layer.rho)
    call = differentiated(compute, learned, layer.non_trainable_variables, way)
    y, gradients = call(ops.cast(x, layer.variable_dtype))
    return Result(ops.convert_to_numpy(y), Gradients(*map(ops.convert_to_numpy, gradients)))


def golden_weights(name):
    """Returns the weights of a golden case before its call."""
    keys = ("gamma", "beta", "rho", "running_mean0", "running_var0")
    return Weights(*(GOLDEN[f"{name}/{key}"] for key in keys))


def golden_settings(name):
    """Returns epsilon and (Keras's) momentum of a golden case."""
    return {
        "epsilon": float(GOLDEN[f"{name}/eps"]),
        "momentum": 1 - float(GOLDEN[f"{name}/momentum"]),
    }


def golden_moving(name):
    """Returns the moving statistics that Keras keeps: with the biased variance of the batch."""
    kept = golden_settings(name)["momentum"]
    batch = (GOLDEN[f"{name}/batch_mean"], GOLDEN[f"{name}/batch_var_biased"])
    return [
        kept * old + (1 - kept) * new
        for old, new in zip(golden_weights(name)[3:], batch, strict=True)
    ]


def numpy(variable):
    """Copies a variable into a float64 array."""
    return keras.ops.convert_to_numpy(variable).astype("float64")


def assert_gradients_close(found, expected, rtol, atol):
    """Compares two sets of gradients, naming the first that differs."""
    for name, a, b in zip(Gradients._fields, found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)


def finite_difference(function, at, step=1e-6):
    """Central differences of a scalar function, one element at a time."""
    found = np.zeros(at.size)
    for i in range(at.size):
        moved = np.zeros(at.size)
        moved[i] = step
        moved = moved.reshape(at.shape)
        found[i] = (function(at + moved) - function(at - moved)) / (2 * step)
    return found.reshape(at.shape)
