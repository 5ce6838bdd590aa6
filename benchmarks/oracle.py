"""Runs models and their artifacts, and compares them independently of the exporter.

What the exporter has verified is run again, on other inputs.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bin.export import ExportReport

Arrays = list[np.ndarray]
ALLOWED = 1e-3  # relative difference
ROUNDINGS = 4  # times a model's own rounding
UNIT = 2.0**-23  # of float32


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far outputs are from the right ones.

    Attributes:
        largest: the largest absolute difference, in output units; None if one is not finite.
        relative: the largest of `abs(got - expected) / (1 + abs(expected))`; likewise.
        size: the largest absolute right value.
    """

    largest: float | None
    relative: float | None
    size: float


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What became of a step.

    Attributes:
        seconds: how long it took.
        found: what it returned; None if it failed.
        error: class and text of what it raised; empty if it did not fail.
    """

    seconds: float
    found: Any = None
    error: str = ""


def attempt(step: Callable[[], Any]) -> Attempt:
    """Runs a step; whatever the exporter raises for a net is a result."""
    start = time.perf_counter()
    try:
        found, error = step(), ""
    except Exception as raised:
        found, error = None, in_words(raised)
    return Attempt(time.perf_counter() - start, found, error)


def call(model: keras.Model, inputs: Sequence[np.ndarray], training: bool) -> Any:
    """Calls a model on flattened inputs.

    Args:
        model: any model; a subclassed one has one input.
        inputs: arrays in the order of `model.inputs`.
        training: whether to run in training mode.
    """
    tensors = [tf.constant(array) for array in inputs]
    if isinstance(model, keras.Sequential) or not isinstance(getattr(model, "inputs", None), list):
        (tensor,) = tensors
        return model(tensor, training=training)
    return model(keras.tree.pack_sequence_as(model.input, tensors), training=training)


def model_outputs(model: keras.Model, inputs: Sequence[np.ndarray]) -> Arrays:
    """Returns what a model computes in inference, flattened; see `call`."""
    return _arrays(call(model, inputs, training=False))


def load_onnx(path: Path) -> Callable[[Sequence[np.ndarray]], Arrays]:
    """Loads an ONNX file; returns a function of inputs that runs it on one thread."""
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
    """Loads a SavedModel; returns a function of inputs that calls its signature.

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


def in_words(error: BaseException) -> str:
    """Returns the class and message of an error, without Keras's colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return f"{type(error).__name__}: {text}"


def within(relative: float | None, allowed: float = ALLOWED) -> bool:
    """Returns whether a relative difference is finite and no larger than allowed."""
    return relative is not None and relative <= allowed


def allowed_relative(rounding: float) -> float:
    """Returns what a model's own rounding allows, at least `ALLOWED`."""
    return max(ALLOWED, ROUNDINGS * rounding)


def difference(got: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> Difference:
    """Compares outputs, each with the one at the same place.

    If the right value is infinite or NaN, the other must be the same.

    Raises:
        ValueError: their number or a shape differs.
    """
    shapes, right = ([np.shape(array) for array in arrays] for arrays in (got, expected))
    if shapes != right:
        raise ValueError(f"Outputs must have the shapes {right}. Received: {shapes}")
    largest = relative = size = 0.0
    for one, other in zip(got, expected, strict=True):
        one, other = (np.asarray(array, "float64") for array in (one, other))
        finite = np.isfinite(other)
        if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
            return Difference(None, None, size)
        apart, values = np.abs(one[finite] - other[finite]), np.abs(other[finite])
        if not np.isfinite(apart).all():
            return Difference(None, None, size)
        largest = max(largest, float(apart.max(initial=0)))
        relative = max(relative, float((apart / (1 + values)).max(initial=0)))
        size = max(size, float(values.max(initial=0)))
    return Difference(largest, relative, size)


def rounding(
    model: keras.Model, inputs: Sequence[np.ndarray], unit: float = UNIT, trials: int = 4
) -> float:
    """Estimates a model's own rounding, as a relative difference, as in `Difference`.

    It is the largest change of an output when every weight and input moves up or down by about
    one unit in its last place. The weights are restored afterwards.

    Args:
        model: the model.
        inputs: arrays in the order of `model.inputs`.
        unit: that of the dtype in which the model computes.
        trials: how often they move.
    """
    rng = np.random.default_rng(0)
    expected = model_outputs(model, inputs)
    kept = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    worst = 0.0
    try:
        for _ in range(trials):
            for weight, value in zip(model.weights, kept, strict=True):
                weight.assign(_nudge(value, unit, rng))
            moved = model_outputs(model, [_nudge(array, unit, rng) for array in inputs])
            worst = max(worst, difference(moved, expected).relative or 0.0)
    finally:
        for weight, value in zip(model.weights, kept, strict=True):
            weight.assign(value)
    return worst


def _nudge(array, unit, rng):
    if array.dtype not in ("float32", "float64"):
        return array
    return array * (1 + unit * rng.choice([-1, 1], array.shape)).astype(array.dtype)


def _arrays(outputs):
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]
