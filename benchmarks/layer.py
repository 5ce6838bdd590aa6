"""One layer in TensorFlow: training, its floor, inference, and how it scales."""

import math
import statistics
from collections.abc import Callable

import tensorflow as tf

import keras_bin
from benchmarks.environment import installed
from benchmarks.peers import BN, KERAS, OURS, build, draw
from benchmarks.plan import Plan, shape_name
from benchmarks.report import Section
from benchmarks.tensorflow_peers import FUSED, TRAINING
from benchmarks.timing import (
    comparison_method,
    comparison_rows,
    interleave,
    quartiles,
    ratio,
    timing,
)

COMPILERS = {"tf.function": False, "XLA": True}
# Forward reads x for the statistics and again for y, and writes y. Backward reads x and dy for
# its sums and again for dx, and writes dx.
PASSES = 3 + 5
INFERENCE = {
    **KERAS,
    "FoldedBatchInstanceNormalization": keras_bin.FoldedBatchInstanceNormalization,
}


def training_function(layer, jit_compile: bool) -> Callable:
    """Compiles a function of x and dy that returns y, and all gradients of `sum(y * dy)`.

    Args:
        layer: a built Keras layer.
        jit_compile: whether XLA compiles it.
    """
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function(jit_compile=jit_compile)
    def compute(x, dy):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, tape.gradient(y, [x, *weights], output_gradients=dy)

    return compute


def inference_function(layer) -> Callable:
    """Compiles a function of x that returns y in inference."""
    return tf.function(lambda x: layer(x, training=False))


def finished(function: Callable, *inputs) -> Callable[[], None]:
    """Returns a function without arguments that returns when the device is done."""

    def call():
        function(*inputs)
        tf.test.experimental.sync_devices()

    return call


def _training_call(make, arrays, jit_compile):
    layer = build(make, arrays[0].shape)
    return finished(training_function(layer, jit_compile), *map(tf.constant, arrays))


def layer(plan: Plan, track: Callable) -> Section:
    """Times forward and backward of one layer in training beside its peers."""
    cases = [(compiler, shape) for compiler in COMPILERS for shape in plan.shapes]
    seconds = {compiler: {} for compiler in COMPILERS}
    for compiler, shape in track(cases):
        arrays = draw(shape)
        functions = {
            name: _training_call(make, arrays, COMPILERS[compiler])
            for name, make in TRAINING.items()
        }
        if installed("torch"):
            from benchmarks import torch_peer

            functions[torch_peer.NAME] = torch_peer.training_call(*arrays, "cpu")
        seconds[compiler][shape_name(shape)] = interleave(functions, plan.rounds)
    return Section(
        "layer",
        "one layer in training, forward and backward",
        "Float32; y, dx and the gradients of all weights for a given dy. "
        f"{comparison_method(OURS, plan.rounds)} The PyTorch layer runs on the CPU, eagerly beside "
        "either compiler"
        + ("." if installed("torch") else ", and is missing: PyTorch is not installed."),
        [
            row
            for compiler in COMPILERS
            for row in comparison_rows(seconds[compiler], OURS, compiled=compiler)
        ],
    )


def floor(plan: Plan, track: Callable) -> Section:
    """Compares BIN with the time that memory needs to move its data."""
    ones = tf.ones([plan.added_mebibytes << 18])
    total = tf.Variable(ones)
    added_bytes = 3 * 4 * ones.shape[0]
    rows = []
    cases = [(compiler, shape) for compiler in COMPILERS for shape in plan.shapes]
    for compiler, shape in track(cases):
        arrays = draw(shape)
        functions = {
            name: _training_call(TRAINING[name], arrays, COMPILERS[compiler])
            for name in (OURS, FUSED)
        }
        functions["sum"] = finished(tf.function(total.assign_add), ones)
        seconds = interleave(functions, plan.rounds)
        moved = PASSES * arrays[0].nbytes
        at_least = [elapsed * moved / added_bytes for elapsed in seconds.pop("sum")]
        rows.append(
            {
                "compiled": compiler,
                "shape": shape_name(shape),
                "GB/s": moved / statistics.median(at_least) / 1e9,
                "MB to move": moved / 1e6,
                "floor": timing(at_least),
                **{name: timing(s, ratio(s, at_least)) for name, s in seconds.items()},
            }
        )
    return Section(
        "floor",
        "one layer in training, beside the speed of memory",
        f"Bandwidth is that of TensorFlow adding {plan.added_mebibytes} MiB of float32 to a "
        "variable in place, two reads and a write, timed in turns with the layers; unlike a layer, "
        "or a copy, it allocates nothing. BIN must read the activation twice and write it once "
        "forward, and read x and dy twice and write dx once backward; the floor is the time for "
        "that. Medians, and time / floor with quartiles over "
        f"{plan.rounds} rounds. Tensors that stay in the processor's cache can be faster than "
        "the floor.",
        rows,
    )


def inference(plan: Plan, track: Callable) -> Section:
    """Times one layer in inference beside its peers."""
    seconds = {}
    for shape in track(plan.shapes):
        x, _ = draw(shape)
        functions = {
            name: finished(inference_function(build(make, shape)), tf.constant(x))
            for name, make in INFERENCE.items()
        }
        seconds[shape_name(shape)] = interleave(functions, plan.rounds)
    return Section(
        "inference",
        "one layer in inference",
        f"Float32, in a tf.function. {comparison_method(OURS, plan.rounds)}",
        comparison_rows(seconds, OURS),
    )


def scaling(plan: Plan, track: Callable) -> Section:
    """Times one layer in training per element, for growing inputs, beside BN."""
    rows = []
    shapes = [(samples, 32, 32, 64) for samples in plan.samples]
    for compiler in track(COMPILERS):
        functions = {}
        for shape in shapes:
            arrays = [*map(tf.constant, draw(shape))]
            for name in (OURS, BN):
                functions[shape, name] = _training_call(TRAINING[name], arrays, COMPILERS[compiler])
        seconds = interleave(functions, plan.scaling_rounds)
        spreads = {
            (shape, name): quartiles([1e9 * s / math.prod(shape) for s in seconds[shape, name]])
            for shape, name in functions
        }
        mean = statistics.mean(spreads[shape, OURS].value for shape in shapes)
        rows += [
            {
                "compiled": compiler,
                "shape": shape_name(shape),
                "elements": math.prod(shape),
                "ns per element": spreads[shape, OURS],
                "relative to their mean": spreads[shape, OURS].value / mean,
                "BN, ns per element": spreads[shape, BN],
                "BIN / BN": ratio(seconds[shape, OURS], seconds[shape, BN]),
            }
            for shape in shapes
        ]
    return Section(
        "scaling",
        "one BIN layer in training, from small to large",
        "Forward and backward, float32; median and quartiles of "
        f"{plan.scaling_rounds} rounds in which all sizes took turns, and the same for {BN}, "
        "which meets the same costs of large allocations.",
        rows,
    )
