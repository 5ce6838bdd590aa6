"""How long exported nets take, side by side in each runtime."""

import importlib.util
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.export import export_onnx, export_saved_model, fold

THREADS = 2
LOADS = 2  # where its memory lies makes one file, loaded twice, up to 10 % faster than itself

Call = Callable[[], object]


class Runtime(NamedTuple):
    """What a runtime needs.

    Attributes:
        package: that it takes besides those of the examples, or "".
        write: writes a net into a folder, and returns what was written.
        load: takes what was written, and pictures, and returns what runs them.
    """

    package: str
    write: Callable[[keras.Model, Path], Path]
    load: Callable[[Path, np.ndarray], Call]


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
    return lambda: session.run(None, feed)


def _in_openvino(path, pictures):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": THREADS}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda: request.infer([pictures])


def _in_litert(path, pictures):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=THREADS)
    (inputs,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(inputs["index"], pictures.shape)
    interpreter.allocate_tensors()

    def run():
        interpreter.set_tensor(inputs["index"], pictures)
        interpreter.invoke()

    return run


def _in_tensorflow(path, pictures):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    feed = dict.fromkeys(serve.structured_input_signature[1], tf.constant(pictures))
    return lambda keep=loaded: [value.numpy() for value in serve(**feed).values()]


RUNTIMES = {
    "ONNX Runtime": Runtime("", _onnx("onnxruntime"), _in_onnx_runtime),
    "OpenVINO": Runtime("openvino", _onnx("openvino"), _in_openvino),
    "LiteRT": Runtime("ai_edge_litert", _litert, _in_litert),
    "TensorFlow": Runtime("", _saved_model, _in_tensorflow),
}


def installed() -> list[str]:
    """Returns the runtimes whose packages are installed."""
    return [
        name
        for name, runtime in RUNTIMES.items()
        if not runtime.package or importlib.util.find_spec(runtime.package)
    ]


def measure(
    runtime: str, nets: Mapping[str, keras.Model], rounds: Mapping[int, int], folder: Path
) -> dict[str, dict[int, float]]:
    """Writes nets for a runtime, and times them in turns.

    Args:
        runtime: a key of `RUNTIMES`.
        nets: by name.
        rounds: how often each is timed, by the number of pictures in a call.
        folder: for what is written.

    Returns:
        For each net its median time in milliseconds, by the number of pictures.
    """
    made = RUNTIMES[runtime]
    paths = {}
    for number, (name, net) in enumerate(nets.items()):
        own = folder / str(number)
        own.mkdir(parents=True, exist_ok=True)
        paths[name] = made.write(net, own)
    shape = next(iter(nets.values())).input_shape[1:]
    times = {}
    for batch, count in rounds.items():
        pictures = np.random.default_rng(0).random((batch, *shape), "float32")
        calls = {
            (name, load): made.load(path, pictures)
            for load in range(LOADS)
            for name, path in paths.items()
        }
        for name, seconds in _interleaved(calls, count).items():
            times.setdefault(name, {})[batch] = round(1e3 * median(seconds), 4)
    return times


def _interleaved(calls: Mapping[tuple[str, int], Call], rounds: int) -> dict[str, list[float]]:
    """Times calls in turns, in an order that is drawn anew for each round."""
    shuffle = random.Random(0).shuffle
    order = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name, _ in order}
    for number in range(-2, rounds):  # two rounds to warm up
        shuffle(order)
        for name, load in order:
            start = time.perf_counter()
            calls[name, load]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds
