"""What XLA for CPUs needs at least for a normalization layer in training, beside two layers.

    python -m benchmarks.jax_floor

Prints times over those of BatchNormalization: of keras-bin's layer; of only writing the output and
the gradient of the input, each by one line with given factors; and of only one sum over the spatial
axes forward and one backward. A layer has to do both of these.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import statistics

import jax
from jax import numpy as jnp

from benchmarks.jax_layer import training_call
from benchmarks.peers import KERAS, OURS, draw
from benchmarks.plan import FULL, shape_name
from benchmarks.timing import interleave

BN = "BatchNormalization"


def writing(x, dy):
    """Returns a function that writes an output and a gradient, and waits for them."""
    factor = jnp.full((x.shape[0], 1, 1, x.shape[-1]), 1.5)
    forward = jax.jit(lambda x, factor: x * factor + factor)
    backward = jax.jit(lambda x, dy, factor: dy * factor + (x * factor + factor))
    return lambda: jax.block_until_ready((forward(x, factor), backward(x, dy, factor)))


def summing(x, dy):
    """Returns a function that sums over the spatial axes twice, and waits for the sums."""
    forward = jax.jit(lambda x: jnp.sum(x, (1, 2)))
    backward = jax.jit(lambda x, dy: jnp.sum(x * dy, (1, 2)))
    return lambda: jax.block_until_ready((forward(x), backward(x, dy)))


def main() -> None:
    """Measures and prints a line for each shape, and the geometric means."""
    ratios: dict[str, list[float]] = {}
    for shape in FULL.shapes:
        arrays = draw(shape)
        on_device = [jax.device_put(array) for array in arrays]
        calls = {name: training_call(KERAS[name], *arrays) for name in (OURS, BN)}
        calls |= {"writing": writing(*on_device), "sums": summing(*on_device)}
        medians = {n: statistics.median(t) for n, t in interleave(calls, FULL.rounds).items()}
        line = {name: seconds / medians[BN] for name, seconds in medians.items()}
        print(shape_name(shape), {name: round(ratio, 2) for name, ratio in line.items()})
        for name, ratio in line.items():
            ratios.setdefault(name, []).append(ratio)
    print("all", {name: round(statistics.geometric_mean(r), 2) for name, r in ratios.items()})


if __name__ == "__main__":
    main()
