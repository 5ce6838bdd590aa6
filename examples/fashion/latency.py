"""The latency of exported nets in each runtime, side by side, and the accuracy of those in int8."""

import contextlib
import importlib.metadata
import importlib.util
import random
import time
from collections.abc import Callable, Mapping
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
        write: writes a net into a folder, and returns what was written; also takes pictures to
            calibrate int8 on.
        load: takes what was written, and pictures, and returns what runs them.
    """

    packages: tuple[str, ...]
    write: Callable[[keras.Model, Path, np.ndarray], Path]
    load: Callable[[Path, np.ndarray], Call]


def _onnx(runtime: str) -> Callable[[keras.Model, Path, np.ndarray], Path]:
    def write(net, folder, _pictures):
        path = folder / f"{runtime}.onnx"
        return export_onnx(net, path, runtime=runtime, overwrite=True, verbose=False).path

    return write


def _int8(runtime: str) -> Callable[[keras.Model, Path, np.ndarray], Path]:
    def write(net, folder, pictures):
        path = folder / f"{runtime}-int8.onnx"
        source = _onnx(runtime)(net, folder, pictures)
        given = {"runtime": runtime, "overwrite": True, "verbose": False}
        return quantize_onnx(source, path, pictures, **given).path

    return write


def _saved_model(net, folder, _pictures):
    return export_saved_model(
        net, folder / "saved_model", 1, runtime="tensorflow", overwrite=True, verbose=False
    ).path


def _litert(net, folder, _pictures):
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
    "ONNX Runtime": Runtime((), _int8("onnxruntime"), _in_onnx_runtime),
    "OpenVINO": Runtime(("nncf", "openvino"), _int8("openvino"), _in_openvino),
}


def installed(runtimes: Mapping[str, Runtime] = RUNTIMES) -> list[str]:
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


def measure(
    runtime: str,
    nets: Mapping[str, keras.Model],
    rounds: Mapping[int, int],
    folder: Path,
    pictures: np.ndarray,
) -> dict[str, dict[str, dict[int, float]]]:
    """Writes nets for a runtime, also in int8 if possible, and times them all in turns.

    Args:
        runtime: a key of `RUNTIMES`.
        nets: by name.
        rounds: how often each is timed, by the number of pictures in a call.
        folder: for what is written.
        pictures: on which int8 is calibrated.

    Returns:
        The median time in milliseconds, for the runtime and for `int8_of` it, by net and by the
        number of pictures.
    """
    forms = {runtime: RUNTIMES[runtime]}
    if runtime in installed(IN_INT8):
        forms[int8_of(runtime)] = IN_INT8[runtime]
    paths = {}
    for number, (name, net) in enumerate(nets.items()):
        own = folder / str(number)
        own.mkdir(parents=True, exist_ok=True)
        for form, made in forms.items():
            paths[form, name] = made.write(net, own, pictures)
    shape = next(iter(nets.values())).input_shape[1:]
    times: dict[str, dict[str, dict[int, float]]] = {form: {} for form in forms}
    for batch, count in rounds.items():
        given = np.random.default_rng(0).random((batch, *shape), "float32")
        calls = {
            (key, load): forms[key[0]].load(path, given)
            for load in range(LOADS)
            for key, path in paths.items()
        }
        for (form, name), seconds in _interleaved(calls, count).items():
            times[form].setdefault(name, {})[batch] = round(1e3 * median(seconds), 4)
    return times


def read_in_int8(
    runtime: str,
    net: keras.Model,
    tests: Mapping[str, Labelled],
    folder: Path,
    pictures: np.ndarray,
) -> dict[str, float]:
    """Returns the percentage of pictures that a net in int8 reads right, by test.

    Args:
        runtime: a key of `IN_INT8`.
        net: the net in float.
        tests: what it reads.
        folder: for what is written; made if missing.
        pictures: to calibrate on.
    """
    made = IN_INT8[runtime]
    folder.mkdir(parents=True, exist_ok=True)
    path = made.write(net, folder, pictures)
    return {
        name: round(100 * float(np.mean(_read(made, path, test.pictures) == test.labels)), 2)
        for name, test in tests.items()
    }


def _read(made, path, pictures):
    parts = range(0, len(pictures), READ_BATCH)
    outputs = [made.load(path, pictures[start : start + READ_BATCH])() for start in parts]
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
