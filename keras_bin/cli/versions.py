"""The versions that a report of a problem needs."""

import importlib.metadata
import platform

import keras_bin

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "tf2onnx", "onnx", "onnxruntime")


def versions() -> str:
    """Returns one line: the versions of keras-bin, Python, the system, and installed packages."""
    found = [f"Python {platform.python_version()}", f"{platform.system()} {platform.machine()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"keras-bin {keras_bin.__version__} ({', '.join(found)})"
