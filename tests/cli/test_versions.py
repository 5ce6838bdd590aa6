"""What `keras-bin --version` prints."""

import importlib.metadata
import platform

import keras
import tensorflow as tf

import keras_bin
from keras_bin_cli.program import main
from keras_bin_cli.versions import versions


def test_program_prints_the_line(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{versions()}\n"


def test_line_has_the_versions_that_run_here():
    line = versions()
    assert line.startswith(f"keras-bin {keras_bin.__version__} (Python {platform.python_version()}")
    assert f", keras {keras.__version__}, tensorflow {tf.__version__}, " in line
    for package in ("jax", "numpy", "tf2onnx", "onnx", "onnxruntime"):
        assert f", {package} {importlib.metadata.version(package)}" in line
    assert "\n" not in line


def test_package_that_is_not_installed_is_left_out(monkeypatch):
    installed = importlib.metadata.version

    def version(package):
        if package == "tf2onnx":
            raise importlib.metadata.PackageNotFoundError(package)
        return installed(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert "tf2onnx" not in versions()
    assert ", onnx " in versions()
