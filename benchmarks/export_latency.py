"""Times the exports of a net and of its twins; run by `benchmarks.export`.

It is a process of its own because TensorFlow's threads can be set only before it starts. Prints,
as JSON, the seconds of every round by runtime, batch and artifact, and what each artifact holds.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.artifacts import VERIFIED_IMAGES, make_twins, write_onnx, write_saved_models
from benchmarks.nets import NETS, Net
from benchmarks.timing import interleave
from keras_bin.export.files.size import size_on_disk
from keras_bin.export.onnx_files.reader import describe_onnx

Bind = Callable[[np.ndarray], Callable[[], np.ndarray]]


def load_onnx(path: Path, threads: int) -> Bind:
    """Loads an ONNX file; returns a function of images that returns a function that runs it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its threads would otherwise wait busily for a while, in the time of the file that comes next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (inputs,) = session.get_inputs()
    return lambda images: lambda: session.run(None, {inputs.name: images})[0]


def load_saved_model(path: Path, _threads: int) -> Bind:
    """Loads a SavedModel; returns a function of images that returns a function that runs it.

    Its threads are those of the process.
    """
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


def describe_folder(path: Path) -> dict:
    """Returns the bytes of a SavedModel."""
    return {"bytes": size_on_disk(path)}


class Runtime(NamedTuple):
    """How artifacts are written, loaded and described."""

    write: Callable
    load: Callable[[Path, int], Bind]
    describe: Callable[[Path], dict]


RUNTIMES = {
    "ONNX Runtime": Runtime(write_onnx, load_onnx, describe_file),
    "TensorFlow": Runtime(write_saved_models, load_saved_model, describe_folder),
}


def measure(
    net: Net, rounds: dict[int, int], runtimes: Sequence[str], threads: int, folder: Path
) -> list[dict]:
    """Exports a net and its twins, and times what was written.

    Args:
        net: the net.
        rounds: how often each artifact is timed, by the number of images in a call.
        runtimes: names in `RUNTIMES`.
        threads: threads of ONNX Runtime.
        folder: where artifacts are written.

    Returns:
        For each runtime its name, the description of each artifact, and for each batch the
        seconds of each artifact.
    """
    images, _ = net._replace(batch=max(VERIFIED_IMAGES, *rounds)).data()
    twins = make_twins(net)
    measured = []
    for name in runtimes:
        runtime = RUNTIMES[name]
        paths = runtime.write(twins, images, folder)
        loaded = {artifact: runtime.load(path, threads) for artifact, path in paths.items()}
        seconds = {}
        for batch, count in rounds.items():
            functions = {artifact: bind(images[:batch]) for artifact, bind in loaded.items()}
            seconds[batch] = interleave(functions, count)
        artifacts = {artifact: runtime.describe(path) for artifact, path in paths.items()}
        measured.append({"runtime": name, "artifacts": artifacts, "seconds": seconds})
    return measured


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Time the exports of a net and print JSON.")
    parser.add_argument("net", choices=NETS, help="which net")
    parser.add_argument("--size", type=int, required=True, help="height and width of its images")
    parser.add_argument("--batches", type=int, nargs="+", required=True, help="images in a call")
    parser.add_argument("--rounds", type=int, nargs="+", required=True, help="for each batch")
    parser.add_argument("--threads", type=int, required=True, help="threads of each runtime")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, required=True, help="of both")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    net = NETS[options.net]._replace(size=options.size)
    rounds = dict(zip(options.batches, options.rounds, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(net, rounds, options.runtimes, options.threads, Path(folder))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
