"""The runtimes that exports are timed in: what they read, and how they are loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.artifacts import write_litert, write_onnx, write_saved_models
from keras_bin.export.files.size import size_on_disk
from keras_bin.export.onnx_files.reader import describe_onnx

Bind = Callable[[np.ndarray], Callable[[], np.ndarray]]


def load_onnx(path: Path, threads: int) -> Bind:
    """Loads an ONNX file; returns a function of images that returns a function that runs it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Otherwise its threads would busy-wait for a while, during the time of the next file.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (inputs,) = session.get_inputs()
    return lambda images: lambda: session.run(None, {inputs.name: images})[0]


def load_openvino(path: Path, threads: int) -> Bind:
    """Like `load_onnx`, for an ONNX file or a SavedModel in OpenVINO, in float32."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    core = openvino.Core()
    compiled = core.compile_model(str(path), "CPU", {**settings, "PERFORMANCE_HINT": "LATENCY"})

    def bind(images):
        request = compiled.create_infer_request()
        (inputs,) = compiled.inputs

        def run():
            request.infer({inputs: images})
            return request.get_output_tensor().data

        return run

    return bind


def load_litert(path: Path, threads: int) -> Bind:
    """Like `load_onnx`, for a LiteRT file."""
    from ai_edge_litert.interpreter import Interpreter

    def bind(images):
        interpreter = Interpreter(str(path), num_threads=threads)
        (inputs,) = interpreter.get_input_details()
        (outputs,) = interpreter.get_output_details()
        interpreter.resize_tensor_input(inputs["index"], images.shape)
        interpreter.allocate_tensors()

        def run():
            interpreter.set_tensor(inputs["index"], images)
            interpreter.invoke()
            return interpreter.get_tensor(outputs["index"])

        return run

    return bind


def load_saved_model(path: Path, _threads: int) -> Bind:
    """Loads a SavedModel; returns a function of images that returns a function that runs it.

    Its threads are those of the process.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]

    def bind(images, keep=loaded):
        tensor = tf.constant(images)

        def run():
            (outputs,) = serve(**{name: tensor}).values()
            return outputs.numpy()

        return run

    return bind


def describe_file(path: Path) -> dict:
    """Returns the bytes and the operators of an ONNX file."""
    found = describe_onnx(path)
    return {"bytes": found.size, "operators": found.operators}


def describe_size(path: Path) -> dict:
    """Returns the bytes of a file or folder."""
    return {"bytes": path.stat().st_size if path.is_file() else size_on_disk(path)}


class Format(NamedTuple):
    """How artifacts are written and described, and which packages that requires."""

    write: Callable
    describe: Callable[[Path], dict]
    packages: tuple[str, ...] = ()


class Runtime(NamedTuple):
    """What a runtime reads, how it loads it, and which packages that requires."""

    format: str
    load: Callable[[Path, int], Bind]
    packages: tuple[str, ...] = ()


FORMATS = {
    "ONNX": Format(write_onnx, describe_file, ("onnx", "onnxruntime", "tf2onnx")),
    "SavedModel": Format(write_saved_models, describe_size),
    "LiteRT": Format(write_litert, describe_size),
}
RUNTIMES = {
    "ONNX Runtime": Runtime("ONNX", load_onnx),
    "OpenVINO, ONNX": Runtime("ONNX", load_openvino, ("openvino",)),
    "OpenVINO, SavedModel": Runtime("SavedModel", load_openvino, ("openvino",)),
    "LiteRT": Runtime("LiteRT", load_litert, ("ai_edge_litert",)),
    "TensorFlow": Runtime("SavedModel", load_saved_model),
}


def packages(runtime: str) -> tuple[str, ...]:
    """Returns the packages needed to measure in a runtime."""
    found = RUNTIMES[runtime]
    return (*FORMATS[found.format].packages, *found.packages)
