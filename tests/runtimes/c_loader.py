"""TensorFlow's C loader of SavedModels, in a program that is compiled here."""

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from tests.runtimes.jobs import run_job
from tests.runtimes.runtime import Runtime, Served

SOURCE = Path(__file__).with_suffix(".c")


def missing():
    if sys.platform != "linux":
        return "the C loader is linked as on Linux; run its tests there"
    if _compiler() is None:
        return "a C compiler is missing; install one, on Debian with: apt-get install gcc libc6-dev"
    return None


def serve(exported, artifact, folder):
    path = exported.path(artifact)
    signature = _signature(path)
    inputs, outputs = (
        {name: info.name for name, info in infos.items()}
        for infos in (signature.inputs, signature.outputs)
    )
    program = _compiled(folder.parent)
    results, _ = run_job([program, path], folder, exported.batches, inputs, outputs)
    return Served(_shapes(signature.inputs), _shapes(signature.outputs), results)


def _signature(path):
    from keras_bin.export.tensorflow_internals import parse_saved_model

    saved_model = parse_saved_model((path / "saved_model.pb").read_bytes())
    (graph,) = (each for each in saved_model.meta_graphs if "serve" in each.meta_info_def.tags)
    return graph.signature_def["serving_default"]


def _shapes(infos):
    return {
        name: tuple(None if dim.size == -1 else dim.size for dim in info.tensor_shape.dim)
        for name, info in infos.items()
    }


def _compiler():
    return shutil.which("gcc") or shutil.which("cc")


def _compiled(folder):
    """Compiles the program into `folder`, once, with what the wheel of TensorFlow holds."""
    program = folder / "c_loader"
    if not program.exists():
        tensorflow = Path(importlib.util.find_spec("tensorflow").origin).parent
        subprocess.run(
            [
                _compiler(),
                *("-std=c11", "-Wall", "-Wextra", "-Werror"),
                f"-I{tensorflow / 'include'}",
                *(SOURCE, "-o", program),
                *(f"-L{tensorflow}", f"-Wl,-rpath,{tensorflow}", "-Wl,--no-as-needed"),
                *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
            ],
            check=True,
        )
    return program


C_LOADER = Runtime(
    "TensorFlow's C loader",
    ("SavedModel",),
    missing,
    lambda: importlib.metadata.version("tensorflow"),
    serve,
)
