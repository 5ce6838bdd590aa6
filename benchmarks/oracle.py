"""Runs models and their artifacts, and compares them by means of its own.

Nothing here is the exporter's: what it calls verified is run again, on other inputs.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_bin.export import ExportReport

Arrays = list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far outputs are from those that are right.

    Attributes:
        largest: the largest absolute difference, in output units; None where one is not finite.
        share: the largest of `abs(got - expected) / (1 + abs(expected))`; likewise.
        size: the largest absolute value that is right.
    """

    largest: float | None
    share: float | None
    size: float


def model_outputs(model: keras.Model, inputs: Sequence[np.ndarray]) -> Arrays:
    """Returns what a model computes in inference, flattened.

    Args:
        model: any model; a subclassed one has one input.
        inputs: arrays in the order of `model.inputs`.
    """
    tensors = [tf.constant(array) for array in inputs]
    functional = isinstance(model, keras.Model) and getattr(model, "inputs", None)
    packed = keras.tree.pack_sequence_as(model.input, tensors) if functional else tensors[0]
    if isinstance(model, keras.Sequential):
        (packed,) = tensors
    return _arrays(model(packed, training=False))


def load_onnx(path: Path) -> Callable[[Sequence[np.ndarray]], Arrays]:
    """Loads an ONNX file; returns a function of inputs, which runs it on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))


def load_saved_model(
    path: Path, outputs: Sequence[str]
) -> Callable[[Sequence[np.ndarray]], Arrays]:
    """Loads a SavedModel; returns a function of inputs, which calls its signature.

    Args:
        path: its folder.
        outputs: their names in the model's order. Inputs are in the order of their names.
    """
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    names = sorted(serve.structured_input_signature[1])

    def run(inputs, keep=loaded):
        tensors = {name: tf.constant(array) for name, array in zip(names, inputs, strict=True)}
        found = serve(**tensors)
        return _arrays([found[name] for name in outputs])

    return run


def output_names(report: ExportReport) -> list[str]:
    """Returns the names of an artifact's outputs, in the model's order."""
    return list(dict.fromkeys(check.name for check in report.verification.outputs))


def difference(got: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> Difference:
    """Compares outputs, each with the one of the same place.

    Where the right value is infinite or NaN, the same is asked for.

    Raises:
        ValueError: their number or a shape differs.
    """
    shapes, right = ([np.shape(array) for array in arrays] for arrays in (got, expected))
    if shapes != right:
        raise ValueError(f"Outputs must have the shapes {right}. Received: {shapes}")
    largest = share = size = 0.0
    for one, other in zip(got, expected, strict=True):
        one, other = (np.asarray(array, "float64") for array in (one, other))
        finite = np.isfinite(other)
        if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
            return Difference(None, None, size)
        apart, values = np.abs(one[finite] - other[finite]), np.abs(other[finite])
        if not np.isfinite(apart).all():
            return Difference(None, None, size)
        largest = max(largest, float(apart.max(initial=0)))
        share = max(share, float((apart / (1 + values)).max(initial=0)))
        size = max(size, float(values.max(initial=0)))
    return Difference(largest, share, size)


def rounding(
    model: keras.Model, inputs: Sequence[np.ndarray], trials: int = 4, seed: int = 0
) -> float:
    """Estimates a model's own rounding, as a share like that of `Difference`.

    It is the largest change of an output when every weight and input moves up or down by one
    unit in its last place. The weights are as before afterwards.

    Args:
        model: the model.
        inputs: arrays in the order of `model.inputs`.
        trials: how often they move.
        seed: of the directions.
    """
    rng = np.random.default_rng(seed)
    expected = model_outputs(model, inputs)
    kept = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    worst = 0.0
    try:
        for _ in range(trials):
            for weight, value in zip(model.weights, kept, strict=True):
                weight.assign(_nudge(value, rng))
            moved = model_outputs(model, [_nudge(array, rng) for array in inputs])
            worst = max(worst, difference(moved, expected).share or 0.0)
    finally:
        for weight, value in zip(model.weights, kept, strict=True):
            weight.assign(value)
    return worst


def _nudge(array, rng):
    if array.dtype not in ("float32", "float64"):
        return array
    ways = np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
    return np.nextafter(array, ways)


def _arrays(outputs):
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]
