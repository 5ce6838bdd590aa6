"""The latency of exported nets in each runtime, side by side, and the accuracy of those in int8."""

import contextlib
import importlib.metadata
import importlib.util
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import keras
import numpy as np

from fashion.training import Labelled
from keras_bin.export import export_onnx, export_saved_model, fold, quantize_onnx

THREADS = 2
LOADS = 2  # one file, loaded twice, can differ in speed by up to 10 %

READ_BATCH = 1000
PACKAGES = ("onnxruntime", "openvino", "nncf", "ai-edge-litert")

Call = Callable[[], np.ndarray]
Key = tuple[str, str]  # of a form of a runtime, and of a net


class Runtime(NamedTuple):
    """What a runtime needs.

    Attributes:
        packages: those it needs besides those of the examples.
        write: writes a net into a folder, and returns what was written.
        load: takes what was written, and pictures, and returns what runs them.
    """

    packages: tuple[str, ...]
    write: Callable[[keras.Model, Path], Path]
    load: Callable[[Path, np.ndarray], Call]


class Quantizer(NamedTuple):
    """What int8 in a runtime needs.

    Attributes:
        packages: as for `Runtime`.
        runtime: what `quantize_onnx` calls it.
    """

    packages: tuple[str, ...]
    runtime: str


def _onnx(runtime: str) -> Callable[[keras.Model, Path], Path]:
    def write(net, folder):
        path = folder / f"{runtime}.onnx"
        return export_onnx(net, path, runtime=runtime, overwrite=True, verbose=False).path

    return write


def _saved_model(net, folder):
    return export_saved_model(
        net, folder / "saved_model", 1, runtime="tensorflow", overwrite=True, verbose=False
    ).path


def _litert(net, folder):
    path = folder / "net.tflite"
    fold(net, runtime="litert").export(str(path), format="litert", verbose=False)
    return path


def _in_onnx_runtime(path, pictures):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: pictures}
    return lambda: session.run(None, feed)[0]


def _in_openvino(path, pictures):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": THREADS}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda: request.infer([pictures])[0]


def _in_litert(path, pictures):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=THREADS)
    (inputs,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(inputs["index"], pictures.shape)
    interpreter.allocate_tensors()

    def run():
        interpreter.set_tensor(inputs["index"], pictures)
        interpreter.invoke()
        return interpreter.get_tensor(outputs["index"])

    return run


def _in_tensorflow(path, pictures):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    feed = dict.fromkeys(serve.structured_input_signature[1], tf.constant(pictures))
    return lambda keep=loaded: next(value.numpy() for value in serve(**feed).values())


RUNTIMES = {
    "ONNX Runtime": Runtime((), _onnx("onnxruntime"), _in_onnx_runtime),
    "OpenVINO": Runtime(("openvino",), _onnx("openvino"), _in_openvino),
    "LiteRT": Runtime(("ai_edge_litert",), _litert, _in_litert),
    "TensorFlow": Runtime((), _saved_model, _in_tensorflow),
}
IN_INT8 = {
    "ONNX Runtime": Quantizer((), "onnxruntime"),
    "OpenVINO": Quantizer(("nncf", "openvino"), "openvino"),
}


def installed(runtimes: Mapping[str, Runtime | Quantizer] = RUNTIMES) -> list[str]:
    """Returns the runtimes whose packages are installed."""
    return [
        name
        for name, runtime in runtimes.items()
        if all(map(importlib.util.find_spec, runtime.packages))
    ]


def versions() -> str:
    """Returns the versions of the runtimes and quantizers that are installed."""
    found = []
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(found)


def int8_of(runtime: str) -> str:
    """Returns the name of a runtime in results that runs nets in int8."""
    return f"{runtime}, int8"


def write(runtime: str, net: keras.Model, folder: Path, pictures: np.ndarray) -> dict[str, Path]:
    """Writes a net for a runtime, also in int8 if possible.

    Args:
        runtime: a key of `RUNTIMES`.
        net: in float.
        folder: made if missing.
        pictures: on which int8 is calibrated.

    Returns:
        What was written, for the runtime and for `int8_of` it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {runtime: RUNTIMES[runtime].write(net, folder)}
    if runtime in installed(IN_INT8):
        name = IN_INT8[runtime].runtime
        path = folder / f"{name}-int8.onnx"
        given = {"runtime": name, "overwrite": True, "verbose": False}
        written[int8_of(runtime)] = quantize_onnx(written[runtime], path, pictures, **given).path
    return written


def measure(
    runtime: str,
    written: Mapping[str, Mapping[str, Path]],
    rounds: Mapping[int, int],
    shape: Sequence[int],
) -> dict[str, dict[str, dict[int, float]]]:
    """Times nets in all forms of a runtime, in turns.

    Args:
        runtime: a key of `RUNTIMES`.
        written: what `write` returned for the runtime, by net.
        rounds: how often each is timed, by the number of pictures in a call.
        shape: of a picture.

    Returns:
        The median time in milliseconds, by form, net and the number of pictures.
    """
    times: dict[str, dict[str, dict[int, float]]] = {}
    for batch, count in rounds.items():
        given = np.random.default_rng(0).random((batch, *shape), "float32")
        calls = {
            ((form, name), load): RUNTIMES[runtime].load(path, given)
            for load in range(LOADS)
            for name, forms in written.items()
            for form, path in forms.items()
        }
        for (form, name), seconds in _interleaved(calls, count).items():
            milliseconds = round(1e3 * median(seconds), 4)
            times.setdefault(form, {}).setdefault(name, {})[batch] = milliseconds
    return times


def read(runtime: str, path: Path, tests: Mapping[str, Labelled]) -> dict[str, float]:
    """Returns the percentage of pictures that a written net reads right, by test."""
    return {
        name: round(100 * float(np.mean(_read(runtime, path, test.pictures) == test.labels)), 2)
        for name, test in tests.items()
    }


def _read(runtime, path, pictures):
    load = RUNTIMES[runtime].load
    parts = range(0, len(pictures), READ_BATCH)
    outputs = [load(path, pictures[start : start + READ_BATCH])() for start in parts]
    return np.concatenate(outputs).argmax(-1)


def _interleaved(calls: Mapping[tuple[Key, int], Call], rounds: int) -> dict[Key, list[float]]:
    """Times calls in turns, in an order that is drawn anew for each round."""
    shuffle = random.Random(0).shuffle
    order = list(calls)
    seconds: dict[Key, list[float]] = {name: [] for name, _ in order}
    for number in range(-2, rounds):  # two rounds to warm up
        shuffle(order)
        for name, load in order:
            start = time.perf_counter()
            calls[name, load]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds
