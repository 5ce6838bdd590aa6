"""Checks for what only the exporter needs, with errors that say how to get it."""

import importlib

import keras


def require_tensorflow() -> None:
    """Checks that Keras runs on TensorFlow, which traces models for export.

    Raises:
        RuntimeError: Keras runs on another backend.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            "Exporting needs the TensorFlow backend; save the model to a .keras file and export "
            "it in a process with KERAS_BACKEND=tensorflow. "
            f"Received: backend={backend!r}"
        )


def require_onnx() -> None:
    """Checks that the packages of the `onnx` extra can be imported.

    Raises:
        ImportError: one of them is missing.
    """
    _require(("tf2onnx", "onnx", "onnxruntime"), "ONNX files need", "onnx")


def require_nncf() -> None:
    """Checks that the packages of the extras `onnx` and `int8` can be imported.

    Raises:
        ImportError: one of them is missing.
    """
    require_onnx()
    _require(("openvino", "nncf"), "Quantizing for OpenVINO needs", "int8")


def _require(packages, what, extra):
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(
                f"{what} {package}; install it with: pip install 'keras-bin[{extra}]'"
            ) from error
