"""What measurements depend on besides the code: versions and device."""

import importlib.metadata
import importlib.util
import os
import platform
import re
from pathlib import Path

import keras_bin

PACKAGES = ("tensorflow", "keras", "jax", "torch", "numpy", "tf2onnx", "onnxruntime")


def installed(package: str) -> bool:
    """Returns whether `package` can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def versions() -> dict[str, str]:
    """Returns the versions of Python, of the packages that matter, and of keras-bin."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "keras-bin": keras_bin.__version__}


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Returns the model of the processor, as the system calls it."""
    if cpuinfo.is_file():
        models = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if models:
            return models[0]
    return platform.processor() or platform.machine()


def device(accelerator: str | None) -> dict[str, str | int | None]:
    """Returns the processor, its number of cores, and the accelerator (None without one)."""
    return {"cpu": cpu_name(), "cores": os.cpu_count(), "accelerator": accelerator}


def slug(name: str) -> str:
    """Returns `name` in lower case, with hyphens for everything but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
