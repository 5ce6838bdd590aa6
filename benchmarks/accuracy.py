"""Float32 errors of the layer, beside those of the official composition in PyTorch."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

import keras_bin
from benchmarks.environment import installed
from benchmarks.layer import COMPILERS, training_function
from benchmarks.peers import draw
from benchmarks.plan import Plan, shape_name
from benchmarks.report import Section, cell, skipped
from testing import reference

TITLE = "largest float32 errors of one layer in training"
RESULTS = ("y", "dx", "dgamma", "dbeta", "drho")


@dataclasses.dataclass(frozen=True)
class Errors:
    """Largest absolute errors of keras-bin and of the official code, and their ratio.

    The ratio is None if the official code has no error at all.
    """

    ours: float
    official: float
    ratio: float | None

    def __str__(self):
        return cell(self.ratio)


def largest_errors(found, expected) -> list[float]:
    """Returns the largest absolute difference of each pair of arrays."""
    return [
        float(np.abs(np.asarray(a, np.float64) - b).max())
        for a, b in zip(found, expected, strict=True)
    ]


def exact(x: np.ndarray, dy: np.ndarray, weights: reference.Weights) -> list[np.ndarray]:
    """Returns the results in float64, in the order of `RESULTS`."""
    return [reference.forward(x, weights), *reference.backward(x, dy, weights)]


def in_tensorflow(weights: reference.Weights, shape: tuple[int, ...], jit_compile: bool):
    """Returns a function of x and dy that computes the results with keras-bin."""
    layer = keras_bin.BatchInstanceNormalization()
    layer.build(shape)
    layer.set_weights(list(weights))
    compute = training_function(layer, jit_compile)
    return lambda x, dy: tf.nest.flatten(compute(tf.constant(x), tf.constant(dy)))


def in_torch(weights: reference.Weights):
    """Returns a function of x and dy that computes the results as the official code does."""
    from benchmarks.torch_peer import TorchBIN

    layer = TorchBIN(*weights[:3], "cpu")

    def compute(x, dy):
        y, dx, *others = layer(layer.tensor(x), layer.tensor(dy))
        return [np.moveaxis(y.numpy(), 1, -1), np.moveaxis(dx.numpy(), 1, -1), *others]

    return compute


def accuracy(plan: Plan, track: Callable) -> Section:
    """Compares errors for inputs far from zero and with little contrast."""
    if not installed("torch"):
        return skipped("accuracy", TITLE, "PyTorch is not installed")
    rows = []
    for shape in track(plan.accuracy_shapes):
        weights = reference.Weights(
            *(w.astype(np.float32) for w in reference.random_weights(shape[-1]))
        )
        official = in_torch(weights)
        ours = {name: in_tensorflow(weights, shape, jit) for name, jit in COMPILERS.items()}
        noise, dy = draw(shape)
        for mean, deviation in itertools.product(plan.means, plan.deviations):
            x = np.float32(mean) + np.float32(deviation) * noise
            expected = exact(x, dy, weights)
            official_errors = largest_errors(official(x, dy), expected)
            for compiler, compute in ours.items():
                errors = largest_errors(compute(x, dy), expected)
                rows.append(
                    {
                        "compiled": compiler,
                        "shape": shape_name(shape),
                        "mean": mean,
                        "deviation": deviation,
                        **{
                            name: Errors(a, b, a / b if b else None)
                            for name, a, b in zip(RESULTS, errors, official_errors, strict=True)
                        },
                    }
                )
    return Section(
        "accuracy",
        TITLE,
        "Largest absolute error of keras-bin / that of the official composition in PyTorch on "
        "the CPU, both in float32 against NumPy in float64, for normal inputs of the given mean "
        "and standard deviation.",
        rows,
    )
