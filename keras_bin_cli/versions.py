"""The versions that a bug report needs."""

import importlib.metadata
import platform

_PACKAGES = (
    "click",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "numpy",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
)


def versions() -> str:
    """Returns one line: the versions of keras-bin, Python, the system, and installed packages."""
    found = [f"Python {platform.python_version()}", f"{platform.system()} {platform.machine()}"]
    found += (f"{package} {version}" for package in _PACKAGES if (version := _version(package)))
    return f"keras-bin {_version('keras-bin') or '(not installed)'} ({', '.join(found)})"


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
